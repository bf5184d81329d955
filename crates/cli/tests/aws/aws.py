"""What the tests ask of the emulator beside the command line: `aws.py ENDPOINT ACTION ARGUMENTS...`, answers in JSON."""

import json
import sys

import botocore.exceptions
import botocore.session

endpoint, action, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
session = botocore.session.get_session()
session.set_credentials("test", "test")


def client(service):
    return session.create_client(service, region_name="us-east-1", endpoint_url=endpoint)


def inventory(table, stack):
    """All that is there of a table and its stack, whatever it is called."""
    listed = [
        *(client("dynamodb").list_tables()["TableNames"]),
        *(b["Name"] for b in client("s3").list_buckets()["Buckets"]),
        *(f["FunctionName"] for f in client("lambda").list_functions()["Functions"]),
        *(m["FunctionArn"] for m in client("lambda").list_event_source_mappings()["EventSourceMappings"]),
        *(g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]),
        *(client("sqs").list_queues().get("QueueUrls", [])),
        *(r["RoleName"] for r in client("iam").list_roles()["Roles"]),
        *(p["PolicyName"] for p in client("iam").list_policies(Scope="Local")["Policies"]),
        *(a["AlarmName"] for a in client("cloudwatch").describe_alarms()["MetricAlarms"]),
    ]
    return [name for name in listed if table in name or stack in name]


def user(name, *policies):
    """Keys of a new user with these policies and no others."""
    iam = client("iam")
    iam.create_user(UserName=name)
    for policy in policies:
        iam.attach_user_policy(UserName=name, PolicyArn=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def objects(bucket):
    return [o["Key"] for o in client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def function(name):
    told = client("lambda").get_function_configuration(FunctionName=name)
    return {key: told.get(key) for key in ("CodeSha256", "Environment", "Timeout", "MemorySize", "Handler", "Role")}


def versions(name):
    return [v["Version"] for v in client("lambda").list_versions_by_function(FunctionName=name)["Versions"]]


def mapping(name):
    """The event source mapping of a function."""
    (found,) = client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    del found["LastModified"]
    return found


def deliver_again(table, function, size):
    """Hands all that the stream of a table tells of buckets to its function, in batches of this size; tells how much."""
    streams = client("dynamodbstreams")
    (arn,) = (stream["StreamArn"] for stream in streams.list_streams(TableName=table)["Streams"])
    records = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        start = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(**start)["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator") if page["Records"] else None
    records = [record for record in records if record["dynamodb"]["Keys"]["SK"]["S"].startswith("#BUCKET#")]
    for record in records:
        record["eventSourceARN"] = arn
        at = record["dynamodb"]["ApproximateCreationDateTime"]
        record["dynamodb"]["ApproximateCreationDateTime"] = at.timestamp()
    for first in range(0, len(records), int(size)):
        batch = json.dumps({"Records": records[first : first + int(size)]})
        told = client("lambda").invoke(FunctionName=function, Payload=batch)
        answer = json.load(told["Payload"])
        if "FunctionError" in told or answer["batchItemFailures"]:
            raise RuntimeError(answer)
    return len(records)


def may(role, table, bucket, queue, log):
    """Whether a role may do each of these things. It is lent to the account itself for that."""
    document = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [document]})
    client("iam").update_assume_role_policy(RoleName=role, PolicyDocument=document)
    arn = client("iam").get_role(RoleName=role)["Role"]["Arn"]
    lent = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    session.set_credentials(lent["AccessKeyId"], lent["SecretAccessKey"], lent["SessionToken"])
    key = {"PK": {"S": "p"}, "SK": {"S": "s"}}
    deeds = {
        "UpdateItem": lambda: client("dynamodb").update_item(
            TableName=table, Key=key, UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": {"S": "a"}}
        ),
        "GetItem": lambda: client("dynamodb").get_item(TableName=table, Key=key),
        "PutItem": lambda: client("dynamodb").put_item(TableName=table, Item=key),
        "DeleteItem": lambda: client("dynamodb").delete_item(TableName=table, Key=key),
        "Scan": lambda: client("dynamodb").scan(TableName=table),
        "DeleteTable": lambda: client("dynamodb").delete_table(TableName=table),
        "SendMessage": lambda: client("sqs").send_message(QueueUrl=queue, MessageBody="m"),
        "ReceiveMessage": lambda: client("sqs").receive_message(QueueUrl=queue),
        "DeleteLogGroup": lambda: client("logs").delete_log_group(logGroupName=log),
        "ListObjects": lambda: client("s3").list_objects_v2(Bucket=bucket),
    }
    told = {}
    for name, deed in deeds.items():
        try:
            deed()
            told[name] = True
        except botocore.exceptions.ClientError as error:
            if "AccessDenied" not in error.response["Error"]["Code"]:
                raise
            told[name] = False
    return told


print(json.dumps(globals()[action](*arguments)))
