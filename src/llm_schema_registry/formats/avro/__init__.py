from enum import StrEnum


class AvroRules(StrEnum):
    V1_11 = "1.11"
    V1_12 = "1.12"


class AvroFormat:
    schema_type = "AVRO"

    def __init__(self, rules: AvroRules = AvroRules.V1_12) -> None:
        self.rules = rules
