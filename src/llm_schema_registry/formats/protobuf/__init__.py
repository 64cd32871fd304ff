class ProtobufFormat:
    schema_type = "PROTOBUF"
