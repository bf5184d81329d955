"""What the tests ask of the emulator beside the command line: `aws.py ENDPOINT ACTION ARGUMENTS...`, answers in JSON."""

import json
import sys

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


def log_group(name):
    client("logs").create_log_group(logGroupName=name)


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


print(json.dumps(globals()[action](*arguments)))
