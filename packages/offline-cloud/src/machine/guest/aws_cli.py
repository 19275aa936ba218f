"""Stands in for the AWS CLI inside a machine, as far as a one-time token needs it.

Called as `python3 aws_cli.py ROLE ARGUMENTS…`, where the file ROLE holds what the CLI of a real
instance gets from the metadata service: keys of the instance's role (null: it has none). Covers
`ssm get-parameter` and `ssm delete-parameter` with the CLI's own words and exit codes; anything
else is refused by name. The offline cloud does not check signatures, so none is made.
Python 3.8, standard library only.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

WRONG_USE, NOT_CONFIGURED, REFUSED, OTHER = 252, 253, 254, 255
TRIES = 3  # The CLI's standard mode.
SWITCHES = ("--with-decryption", "--no-with-decryption", "--no-cli-pager", "--no-paginate", "--debug")
VALUED = ("--name", "--query", "--output", "--region", "--endpoint-url", "--cli-read-timeout", "--cli-connect-timeout")
COMMANDS = {"get-parameter": "GetParameter", "delete-parameter": "DeleteParameter"}


class Failed(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def options(arguments):
    """Options by name, and the words between them."""
    found, words, rest = {}, [], list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if not name.startswith("--"):
            words.append(name + equals + value)
        elif name in SWITCHES:
            found[name] = True
        elif name in VALUED:
            if not equals and not rest:
                raise Failed(WRONG_USE, f"argument {name}: expected one argument")
            found[name] = value if equals else rest.pop(0)
        else:
            raise Failed(WRONG_USE, f"Unknown options: {name} (or not covered by the offline cloud)")
    return found, words


def credentials(role):
    """Keys in the environment win over the instance's role, as with the CLI."""
    key = os.environ.get("AWS_ACCESS_KEY_ID")
    if key and os.environ.get("AWS_SECRET_ACCESS_KEY"):
        return {"accessKeyId": key, "sessionToken": os.environ.get("AWS_SESSION_TOKEN")}
    with open(role, encoding="utf-8") as file:
        found = json.load(file)
    if found is None:
        raise Failed(
            NOT_CONFIGURED, 'Unable to locate credentials. You can configure credentials by running "aws configure".'
        )
    return found


def request(operation, body, keys, region, endpoint):
    day = time.strftime("%Y%m%d", time.gmtime())
    scope = f"{keys['accessKeyId']}/{day}/{region}/ssm/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AmazonSSM.{operation}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
    }
    if keys.get("sessionToken"):
        headers["X-Amz-Security-Token"] = keys["sessionToken"]
    return urllib.request.Request(endpoint, json.dumps(body).encode(), headers)


def call(operation, body, keys, region, endpoint):
    """The answer of the service. What may pass by itself is tried again."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for number in range(TRIES):
        if number:
            time.sleep(2 ** (number - 1))
        try:
            with direct.open(request(operation, body, keys, region, endpoint), timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                refusal = json.load(error)
            except ValueError:
                refusal = {}
            name, message = refusal.get("__type", str(error.code)), refusal.get("message", "")
            last = Failed(REFUSED, f"An error occurred ({name}) when calling the {operation} operation: {message}")
            if error.code < 500 and name not in ("ThrottlingException", "TooManyUpdates"):
                raise last from None
        except (OSError, http.client.HTTPException):
            last = Failed(OTHER, f'Could not connect to the endpoint URL: "{endpoint}"')
    raise last


def chosen(answer, query):
    for name in query.split(".") if query else []:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def written(value, output):
    if output == "text" and not isinstance(value, (dict, list)):
        return "None" if value is None else str(value)
    if output in ("json", "text"):
        return json.dumps(value, indent=4)
    raise Failed(WRONG_USE, f"the offline cloud's aws does not cover --output {output}")


def run(role, arguments):
    if arguments == ["--version"]:
        return "aws-cli/2.0.0 (a stand-in of the offline cloud)"
    found, words = options(arguments)
    if len(words) != 2 or words[0] != "ssm" or words[1] not in COMMANDS:
        covered = ", ".join(f"ssm {name}" for name in COMMANDS)
        raise Failed(WRONG_USE, f"the offline cloud's aws covers {covered}; not: {' '.join(words)}")
    if "--name" not in found:
        raise Failed(WRONG_USE, "the following arguments are required: --name")
    region = found.get("--region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise Failed(
            NOT_CONFIGURED, 'You must specify a region. You can also configure your region by running "aws configure".'
        )
    endpoint = found.get("--endpoint-url") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        raise Failed(NOT_CONFIGURED, "AWS_ENDPOINT_URL is not set; the offline cloud's aws reaches no real service")
    body = {"Name": found["--name"]}
    if words[1] == "get-parameter":
        body["WithDecryption"] = "--with-decryption" in found
    answer = call(COMMANDS[words[1]], body, credentials(role), region, endpoint)
    if words[1] == "delete-parameter":
        return None
    output = found.get("--output") or os.environ.get("AWS_DEFAULT_OUTPUT") or "json"
    return written(chosen(answer, found.get("--query")), output)


def main():
    try:
        text = run(sys.argv[1], sys.argv[2:])
    except Failed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return failure.code
    if text is not None:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
