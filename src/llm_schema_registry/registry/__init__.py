"""The use cases: one async function each. Every transport and every test comes in through them."""
