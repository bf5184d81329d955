"""The names of the DynamoDB table: its keys and indexes, for programs that look at it directly."""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "DEFAULT_RESOURCE",
    "DEFAULT_TABLE_NAME",
    "GSI1_NAME",
    "GSI2_NAME",
    "get_table_definition",
    "gsi1_pk_parent",
    "gsi1_sk_child",
    "gsi2_pk_resource",
    "gsi2_sk_bucket",
    "pk_entity",
    "pk_resource",
    "pk_system",
    "sk_bucket",
    "sk_limit",
    "sk_meta",
    "sk_usage",
    "sk_version",
]

DEFAULT_TABLE_NAME: Final = "rate_limits"
GSI1_NAME: Final = "GSI1"
"""Children by parent."""
GSI2_NAME: Final = "GSI2"
"""Buckets and usage by resource; keys only."""
DEFAULT_RESOURCE: Final = "_default_"
"""Stands for any resource where limits are stored."""


def pk_entity(entity_id: str) -> str:
    """Partition key of all records of an entity."""
    return f"ENTITY#{entity_id}"


def pk_resource(resource: str) -> str:
    """Partition key of the limits stored for a resource."""
    return f"RESOURCE#{resource}"


def pk_system() -> str:
    """Partition key of the version, and of the limits stored for the system."""
    return "SYSTEM#"


def sk_meta() -> str:
    """Sort key of the record of an entity."""
    return "#META"


def sk_version() -> str:
    """Sort key of the version."""
    return "#VERSION"


def sk_bucket(resource: str) -> str:
    """Sort key of a bucket: all limits of an entity on a resource are one item."""
    return f"#BUCKET#{resource}"


def sk_limit(resource: str = DEFAULT_RESOURCE) -> str:
    """Sort key of stored limits."""
    return f"#LIMIT#{resource}"


def sk_usage(resource: str, window: str, start: str) -> str:
    """Sort key of a usage snapshot; ``start`` is RFC 3339 in UTC."""
    return f"#USAGE#{resource}#{window}#{start}"


def gsi1_pk_parent(parent_id: str) -> str:
    """Partition key of the children of an entity in GSI1."""
    return f"PARENT#{parent_id}"


def gsi1_sk_child(entity_id: str) -> str:
    """Sort key of a child in GSI1."""
    return f"CHILD#{entity_id}"


def gsi2_pk_resource(resource: str) -> str:
    """Partition key of the buckets and usage of a resource in GSI2."""
    return f"RESOURCE#{resource}"


def gsi2_sk_bucket(entity_id: str) -> str:
    """Sort key of a bucket in GSI2."""
    return f"BUCKET#{entity_id}"


def get_table_definition(table_name: str) -> dict[str, Any]:
    """The table as ``CreateTable`` of the AWS SDKs takes it."""
    keys = ["PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"]

    def schema(partition: str, sort: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": partition, "KeyType": "HASH"},
            {"AttributeName": sort, "KeyType": "RANGE"},
        ]

    return {
        "TableName": table_name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "KeySchema": schema("PK", "SK"),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": GSI1_NAME,
                "KeySchema": schema("GSI1PK", "GSI1SK"),
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": GSI2_NAME,
                "KeySchema": schema("GSI2PK", "GSI2SK"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
