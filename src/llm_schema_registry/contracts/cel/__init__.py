"""The CEL engine behind one door, and what expressions see: types, values, functions, cost."""
