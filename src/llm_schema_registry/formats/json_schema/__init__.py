class JsonSchemaFormat:
    schema_type = "JSON"
