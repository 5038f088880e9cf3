"""What Lambda's mapping does for a function, by hand and once:

    sqs-event.py receive QUEUE_URL...   prints an event of what waits, null if nothing does
    sqs-event.py settle EVENT ANSWER    deletes what the function's answer to it does not name

The server is that of SQS_ENDPOINT. It runs with the Python of .cache/sam-*, which
has boto3.
"""

import json
import os
import sys

import boto3

REGION = "us-east-1"


def client():
    return boto3.client(
        "sqs", endpoint_url=os.environ["SQS_ENDPOINT"], region_name=REGION, aws_access_key_id="local", aws_secret_access_key="local"
    )


def receive(urls):
    sqs = client()
    for url in urls:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
        )
        records = [
            {
                "messageId": m["MessageId"],
                "receiptHandle": m["ReceiptHandle"],
                "body": m["Body"],
                "attributes": m["Attributes"],
                "messageAttributes": {
                    name: {"stringValue": a["StringValue"], "dataType": a["DataType"]}
                    for name, a in m.get("MessageAttributes", {}).items()
                    if "StringValue" in a
                },
                "md5OfBody": m["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": ":".join(["arn:aws:sqs", REGION, *url.split("/")[-2:]]),
                "awsRegion": REGION,
            }
            for m in answer.get("Messages", [])
        ]
        if records:
            return {"Records": records}
    return None


def settle(event, answer):
    if answer is None or "errorMessage" in answer:
        sys.exit(f"the function failed: {answer}")
    failed = {f["itemIdentifier"] for f in answer.get("batchItemFailures") or []}
    sqs = client()
    for record in event["Records"]:
        if record["messageId"] not in failed:
            account, name = record["eventSourceARN"].split(":")[-2:]
            sqs.delete_message(QueueUrl=f"{os.environ['SQS_ENDPOINT']}/{account}/{name}", ReceiptHandle=record["receiptHandle"])
    if failed:
        sys.exit(f"the function could not store {len(failed)} of {len(event['Records'])} messages")


def read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


if sys.argv[1] == "receive":
    json.dump(receive(sys.argv[2:]), sys.stdout)
else:
    settle(read(sys.argv[2]), read(sys.argv[3]))
