/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sigv4_vectors.h"

#include <stddef.h>

const struct sigv4_vector sigv4_vectors[] = {
	{ "frozen-oauth-longterm", "20260102T030405Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlgtQW16LUFsZ29yaXRobT1BV1M0LUhN"
	  "QUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1QTEUlMkYyMDI2MD"
	  "EwMiUyRnVzLWVhc3QtMSUyRmthZmthLWNsdXN0ZXIlMkZhd3M0X3JlcXVlc3Qm"
	  "WC1BbXotRGF0ZT0yMDI2MDEwMlQwMzA0MDVaJlgtQW16LUV4cGlyZXM9OTAwJl"
	  "gtQW16LVNpZ25lZEhlYWRlcnM9aG9zdCZYLUFtei1TaWduYXR1cmU9MjRlYmFk"
	  "YTJlZDU0NTg1ODM3NzU5MWZjODRhZjFhMWJmZjNjNDBjNWU4YWIwYzFmYzg1ZW"
	  "VlMTU2Y2ZiNDJkYSZVc2VyLUFnZW50PXRlc3QlMkYx" },
	{ "frozen-oauth-session", "20260102T030405Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlgtQW16LUFsZ29yaXRobT1BV1M0LUhN"
	  "QUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1QTEUlMkYyMDI2MD"
	  "EwMiUyRnVzLWVhc3QtMSUyRmthZmthLWNsdXN0ZXIlMkZhd3M0X3JlcXVlc3Qm"
	  "WC1BbXotRGF0ZT0yMDI2MDEwMlQwMzA0MDVaJlgtQW16LUV4cGlyZXM9OTAwJl"
	  "gtQW16LVNpZ25lZEhlYWRlcnM9aG9zdCZYLUFtei1TZWN1cml0eS1Ub2tlbj1J"
	  "UW9KYjNKcFoybHVYMlZqRVhBTVBMRSUyRiUyRiUyRiUyRiUyRiUyRiUyRiUyRi"
	  "UyRiUyRndFYUNYVnpMV1ZoYzNRdE1TSkhNRVVDSVElMkJhYmMlMkZkZWYlM0Ql"
	  "M0QmWC1BbXotU2lnbmF0dXJlPWIwYTEyMzkyOTY3ZTQyYWNmZWU4MGNiZDdhYz"
	  "I1ODVhMjUwNzZlZDk4ZjA5YjUxOGE4OWZiM2YzYzJhYmE4M2EmVXNlci1BZ2Vu"
	  "dD10ZXN0JTJGMQ" },
	{ "frozen-iam-longterm", "20260102T030405Z",
	  "{\"action\":\"kafka-cluster:Connect\",\"x-amz-algorithm\":\"AW"
	  "S4-HMAC-SHA256\",\"x-amz-credential\":\"AKIDEXAMPLE/20260102/u"
	  "s-east-1/kafka-cluster/aws4_request\",\"x-amz-date\":\"2026010"
	  "2T030405Z\",\"x-amz-expires\":\"900\",\"x-amz-signedheaders\":"
	  "\"host\",\"x-amz-signature\":\"4712d1496b10b3d53723bb08415f12d"
	  "93f0d8ecf2e97a6b43ca9fdd9149fbcb9\",\"host\":\"b-1.demo.abcdef"
	  ".c2.kafka.us-east-1.amazonaws.com\",\"version\":\"2020_10_22\""
	  ",\"user-agent\":\"test\"}" },
	{ "frozen-iam-session", "20260102T030405Z",
	  "{\"action\":\"kafka-cluster:Connect\",\"x-amz-algorithm\":\"AW"
	  "S4-HMAC-SHA256\",\"x-amz-credential\":\"AKIDEXAMPLE/20260102/u"
	  "s-east-1/kafka-cluster/aws4_request\",\"x-amz-date\":\"2026010"
	  "2T030405Z\",\"x-amz-expires\":\"900\",\"x-amz-signedheaders\":"
	  "\"host\",\"x-amz-security-token\":\"IQoJb3JpZ2luX2VjEXAMPLE///"
	  "///////wEaCXVzLWVhc3QtMSJHMEUCIQ+abc/def==\",\"x-amz-signature"
	  "\":\"db52cb458e58cb87a19fda4001381c1b649d33d8c3e35881753ccc769"
	  "553f307\",\"host\":\"b-1.demo.abcdef.c2.kafka.us-east-1.amazon"
	  "aws.com\",\"version\":\"2020_10_22\",\"user-agent\":\"test\"}" },
	{ "py-longterm", "20261125T212409Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlgtQW16LUFsZ29yaXRobT1BV1M0LUhN"
	  "QUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1QTEUlMkYyMDI2MT"
	  "EyNSUyRnVzLWVhc3QtMSUyRmthZmthLWNsdXN0ZXIlMkZhd3M0X3JlcXVlc3Qm"
	  "WC1BbXotRGF0ZT0yMDI2MTEyNVQyMTI0MDlaJlgtQW16LUV4cGlyZXM9OTAwJl"
	  "gtQW16LVNpZ25lZEhlYWRlcnM9aG9zdCZYLUFtei1TaWduYXR1cmU9Nzg1MzM2"
	  "Y2EyYjgyZmU4ZjEyYjBkNjk1NDBjYTllMTQxODNkNTdiNmEyMTRjOGYwYjg3Mz"
	  "M3MWMwMTRkZjdiMyZVc2VyLUFnZW50PWF3cy1tc2staWFtLXNhc2wtc2lnbmVy"
	  "LXB5dGhvbiUyRjEuMC4y" },
	{ "go-longterm", "20261125T212409Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlVzZXItQWdlbnQ9YXdzLW1zay1pYW0t"
	  "c2FzbC1zaWduZXItZ28lMkYxLjAuNCUyRmdvMS4yNi44JlgtQW16LUFsZ29yaX"
	  "RobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1Q"
	  "TEUlMkYyMDI2MTEyNSUyRnVzLWVhc3QtMSUyRmthZmthLWNsdXN0ZXIlMkZhd3"
	  "M0X3JlcXVlc3QmWC1BbXotRGF0ZT0yMDI2MTEyNVQyMTI0MDlaJlgtQW16LUV4"
	  "cGlyZXM9OTAwJlgtQW16LVNpZ25hdHVyZT03ODUzMzZjYTJiODJmZThmMTJiMG"
	  "Q2OTU0MGNhOWUxNDE4M2Q1N2I2YTIxNGM4ZjBiODczMzcxYzAxNGRmN2IzJlgt"
	  "QW16LVNpZ25lZEhlYWRlcnM9aG9zdA" },
	{ "js-longterm", "20261125T212410Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlVzZXItQWdlbnQ9YXdzLW1zay1pYW0t"
	  "c2FzbC1zaWduZXItanMlMkYxLjAuMyZYLUFtei1BbGdvcml0aG09QVdTNC1ITU"
	  "FDLVNIQTI1NiZYLUFtei1DcmVkZW50aWFsPUFLSURFWEFNUExFJTJGMjAyNjEx"
	  "MjUlMkZ1cy1lYXN0LTElMkZrYWZrYS1jbHVzdGVyJTJGYXdzNF9yZXF1ZXN0Jl"
	  "gtQW16LURhdGU9MjAyNjExMjVUMjEyNDEwWiZYLUFtei1FeHBpcmVzPTkwMCZY"
	  "LUFtei1TaWduYXR1cmU9MjQ4MmRhYTMwZTQxYzA5NmI4Mjg4Y2EzOTVlOGJhZm"
	  "Y0NTUzMjkxNTNiYjE5ZDAzNWE2NTNmNTBlYWQ2ZTgzMiZYLUFtei1TaWduZWRI"
	  "ZWFkZXJzPWhvc3Q" },
	{ "js-fraction-longterm", "20261125T212410Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlVzZXItQWdlbnQ9YXdzLW1zay1pYW0t"
	  "c2FzbC1zaWduZXItanMlMkYxLjAuMyZYLUFtei1BbGdvcml0aG09QVdTNC1ITU"
	  "FDLVNIQTI1NiZYLUFtei1DcmVkZW50aWFsPUFLSURFWEFNUExFJTJGMjAyNjEx"
	  "MjUlMkZ1cy1lYXN0LTElMkZrYWZrYS1jbHVzdGVyJTJGYXdzNF9yZXF1ZXN0Jl"
	  "gtQW16LURhdGU9MjAyNjExMjVUMjEyNDEwWiZYLUFtei1FeHBpcmVzPTEyMy40"
	  "MzgmWC1BbXotU2lnbmF0dXJlPWQwNmRlMDU4N2MyZWM4M2I3ZDVmYWYzZmVjNG"
	  "E5MGZhYWU3NWNmYjM1NDE3MDg4YTVjOGI4MDhjMDBmNzFkNmImWC1BbXotU2ln"
	  "bmVkSGVhZGVycz1ob3N0" },
	{ "java-oauth-longterm", "20261125T212410Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbT9BY3Rpb249a2"
	  "Fma2EtY2x1c3RlciUzQUNvbm5lY3QmWC1BbXotQWxnb3JpdGhtPUFXUzQtSE1B"
	  "Qy1TSEEyNTYmWC1BbXotRGF0ZT0yMDI2MTEyNVQyMTI0MTBaJlgtQW16LVNpZ2"
	  "5lZEhlYWRlcnM9aG9zdCZYLUFtei1FeHBpcmVzPTkwMCZYLUFtei1DcmVkZW50"
	  "aWFsPUFLSURFWEFNUExFJTJGMjAyNjExMjUlMkZ1cy1lYXN0LTElMkZrYWZrYS"
	  "1jbHVzdGVyJTJGYXdzNF9yZXF1ZXN0JlgtQW16LVNpZ25hdHVyZT0yNDgyZGFh"
	  "MzBlNDFjMDk2YjgyODhjYTM5NWU4YmFmZjQ1NTMyOTE1M2JiMTlkMDM1YTY1M2"
	  "Y1MGVhZDZlODMyJlVzZXItQWdlbnQ9YXdzLW1zay1pYW0tYXV0aCUyRjIuMy41"
	  "JTJGYXdzLXNkay1qYXZhJTJGMi4zNi4zJTIwb3MlMkZMaW51eCUyMzYuMTguND"
	  "QtZmMtdjc2OSUyMGxhbmclMkZqYXZhJTIzMTcuMC4xNSUyMG1kJTJGT3BlbkpE"
	  "S182NC1CaXRfU2VydmVyX1ZNJTIzMTcuMC4xNSUyQjYtRGViaWFuLTFkZWIxMn"
	  "UxJTIwbWQlMkZ2ZW5kb3IlMjNEZWJpYW4lMjBtZCUyRnNjYWxhJTJGMi4xMy4x"
	  "OA" },
	{ "franz-longterm", "20261125T212411Z",
	  "{\"action\":\"kafka-cluster:Connect\",\"host\":\"b-1.demo.abcd"
	  "ef.c2.kafka.us-east-1.amazonaws.com\",\"user-agent\":\"franz-g"
	  "o/go1.26.8/vm\",\"version\":\"2020_10_22\",\"x-amz-algorithm\""
	  ":\"AWS4-HMAC-SHA256\",\"x-amz-credential\":\"AKIDEXAMPLE/20261"
	  "125/us-east-1/kafka-cluster/aws4_request\",\"x-amz-date\":\"20"
	  "261125T212411Z\",\"x-amz-expires\":\"900\",\"x-amz-signature\""
	  ":\"a57cdb4079051114783bb9c5ebbd01fc4e42399f3e9eac4fc85b04f6b5a"
	  "398fa\",\"x-amz-signedheaders\":\"host\"}" },
	{ "py-session", "20261125T212411Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlgtQW16LUFsZ29yaXRobT1BV1M0LUhN"
	  "QUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1QTEUlMkYyMDI2MT"
	  "EyNSUyRnVzLWVhc3QtMSUyRmthZmthLWNsdXN0ZXIlMkZhd3M0X3JlcXVlc3Qm"
	  "WC1BbXotRGF0ZT0yMDI2MTEyNVQyMTI0MTFaJlgtQW16LUV4cGlyZXM9OTAwJl"
	  "gtQW16LVNpZ25lZEhlYWRlcnM9aG9zdCZYLUFtei1TZWN1cml0eS1Ub2tlbj1J"
	  "UW9KYjNKcFoybHVYMlZqRVhBTVBMRSUyRiUyRiUyRiUyRiUyRiUyRiUyRiUyRi"
	  "UyRiUyRndFYUNYVnpMV1ZoYzNRdE1TSkhNRVVDSVElMkJhYmMlMkZkZWYlM0Ql"
	  "M0QmWC1BbXotU2lnbmF0dXJlPTNiODg2Yjk4ZGMxZjU2NzQ0NTQ1MGNmMzBiNW"
	  "Y2YTRlZmU3YWMwMzE3NzU0ODk0OThmOTkxN2FjODg4NGU1NDAmVXNlci1BZ2Vu"
	  "dD1hd3MtbXNrLWlhbS1zYXNsLXNpZ25lci1weXRob24lMkYxLjAuMg" },
	{ "go-session", "20261125T212411Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlVzZXItQWdlbnQ9YXdzLW1zay1pYW0t"
	  "c2FzbC1zaWduZXItZ28lMkYxLjAuNCUyRmdvMS4yNi44JlgtQW16LUFsZ29yaX"
	  "RobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1Q"
	  "TEUlMkYyMDI2MTEyNSUyRnVzLWVhc3QtMSUyRmthZmthLWNsdXN0ZXIlMkZhd3"
	  "M0X3JlcXVlc3QmWC1BbXotRGF0ZT0yMDI2MTEyNVQyMTI0MTFaJlgtQW16LUV4"
	  "cGlyZXM9OTAwJlgtQW16LVNlY3VyaXR5LVRva2VuPUlRb0piM0pwWjJsdVgyVm"
	  "pFWEFNUExFJTJGJTJGJTJGJTJGJTJGJTJGJTJGJTJGJTJGJTJGd0VhQ1hWekxX"
	  "VmhjM1F0TVNKSE1FVUNJUSUyQmFiYyUyRmRlZiUzRCUzRCZYLUFtei1TaWduYX"
	  "R1cmU9M2I4ODZiOThkYzFmNTY3NDQ1NDUwY2YzMGI1ZjZhNGVmZTdhYzAzMTc3"
	  "NTQ4OTQ5OGY5OTE3YWM4ODg0ZTU0MCZYLUFtei1TaWduZWRIZWFkZXJzPWhvc3"
	  "Q" },
	{ "js-session", "20261125T212412Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlVzZXItQWdlbnQ9YXdzLW1zay1pYW0t"
	  "c2FzbC1zaWduZXItanMlMkYxLjAuMyZYLUFtei1BbGdvcml0aG09QVdTNC1ITU"
	  "FDLVNIQTI1NiZYLUFtei1DcmVkZW50aWFsPUFLSURFWEFNUExFJTJGMjAyNjEx"
	  "MjUlMkZ1cy1lYXN0LTElMkZrYWZrYS1jbHVzdGVyJTJGYXdzNF9yZXF1ZXN0Jl"
	  "gtQW16LURhdGU9MjAyNjExMjVUMjEyNDEyWiZYLUFtei1FeHBpcmVzPTkwMCZY"
	  "LUFtei1TZWN1cml0eS1Ub2tlbj1JUW9KYjNKcFoybHVYMlZqRVhBTVBMRSUyRi"
	  "UyRiUyRiUyRiUyRiUyRiUyRiUyRiUyRiUyRndFYUNYVnpMV1ZoYzNRdE1TSkhN"
	  "RVVDSVElMkJhYmMlMkZkZWYlM0QlM0QmWC1BbXotU2lnbmF0dXJlPTU4YTkyYz"
	  "M5NDZlMGYxOTU3YTcwOTdlMGQ4MTUxMGZhMjBhZWI3Y2M3MTAwYjQ0YzZmMmNk"
	  "ZDc3YjU2MzQ1YTEmWC1BbXotU2lnbmVkSGVhZGVycz1ob3N0" },
	{ "js-fraction-session", "20261125T212412Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPW"
	  "thZmthLWNsdXN0ZXIlM0FDb25uZWN0JlVzZXItQWdlbnQ9YXdzLW1zay1pYW0t"
	  "c2FzbC1zaWduZXItanMlMkYxLjAuMyZYLUFtei1BbGdvcml0aG09QVdTNC1ITU"
	  "FDLVNIQTI1NiZYLUFtei1DcmVkZW50aWFsPUFLSURFWEFNUExFJTJGMjAyNjEx"
	  "MjUlMkZ1cy1lYXN0LTElMkZrYWZrYS1jbHVzdGVyJTJGYXdzNF9yZXF1ZXN0Jl"
	  "gtQW16LURhdGU9MjAyNjExMjVUMjEyNDEyWiZYLUFtei1FeHBpcmVzPTEyMy40"
	  "MzYmWC1BbXotU2VjdXJpdHktVG9rZW49SVFvSmIzSnBaMmx1WDJWakVYQU1QTE"
	  "UlMkYlMkYlMkYlMkYlMkYlMkYlMkYlMkYlMkYlMkZ3RWFDWFZ6TFdWaGMzUXRN"
	  "U0pITUVVQ0lRJTJCYWJjJTJGZGVmJTNEJTNEJlgtQW16LVNpZ25hdHVyZT0zN2"
	  "QyZjc0MjBkMDA2ZGU0YmNjMDA3MjdiZTY5YjgwZWY3NzQyNjg3OTQ3Y2Y3NWI3"
	  "YzYzZGRiMjc4MzdiZjgxJlgtQW16LVNpZ25lZEhlYWRlcnM9aG9zdA" },
	{ "java-oauth-session", "20261125T212412Z",
	  "aHR0cHM6Ly9rYWZrYS51cy1lYXN0LTEuYW1hem9uYXdzLmNvbT9BY3Rpb249a2"
	  "Fma2EtY2x1c3RlciUzQUNvbm5lY3QmWC1BbXotU2VjdXJpdHktVG9rZW49SVFv"
	  "SmIzSnBaMmx1WDJWakVYQU1QTEUlMkYlMkYlMkYlMkYlMkYlMkYlMkYlMkYlMk"
	  "YlMkZ3RWFDWFZ6TFdWaGMzUXRNU0pITUVVQ0lRJTJCYWJjJTJGZGVmJTNEJTNE"
	  "JlgtQW16LUFsZ29yaXRobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LURhdGU9Mj"
	  "AyNjExMjVUMjEyNDEyWiZYLUFtei1TaWduZWRIZWFkZXJzPWhvc3QmWC1BbXot"
	  "RXhwaXJlcz05MDAmWC1BbXotQ3JlZGVudGlhbD1BS0lERVhBTVBMRSUyRjIwMj"
	  "YxMTI1JTJGdXMtZWFzdC0xJTJGa2Fma2EtY2x1c3RlciUyRmF3czRfcmVxdWVz"
	  "dCZYLUFtei1TaWduYXR1cmU9NThhOTJjMzk0NmUwZjE5NTdhNzA5N2UwZDgxNT"
	  "EwZmEyMGFlYjdjYzcxMDBiNDRjNmYyY2RkNzdiNTYzNDVhMSZVc2VyLUFnZW50"
	  "PWF3cy1tc2staWFtLWF1dGglMkYyLjMuNSUyRmF3cy1zZGstamF2YSUyRjIuMz"
	  "YuMyUyMG9zJTJGTGludXglMjM2LjE4LjQ0LWZjLXY3NjklMjBsYW5nJTJGamF2"
	  "YSUyMzE3LjAuMTUlMjBtZCUyRk9wZW5KREtfNjQtQml0X1NlcnZlcl9WTSUyMz"
	  "E3LjAuMTUlMkI2LURlYmlhbi0xZGViMTJ1MSUyMG1kJTJGdmVuZG9yJTIzRGVi"
	  "aWFuJTIwbWQlMkZzY2FsYSUyRjIuMTMuMTg" },
	{ "franz-session", "20261125T212413Z",
	  "{\"action\":\"kafka-cluster:Connect\",\"host\":\"b-1.demo.abcd"
	  "ef.c2.kafka.us-east-1.amazonaws.com\",\"user-agent\":\"franz-g"
	  "o/go1.26.8/vm\",\"version\":\"2020_10_22\",\"x-amz-algorithm\""
	  ":\"AWS4-HMAC-SHA256\",\"x-amz-credential\":\"AKIDEXAMPLE/20261"
	  "125/us-east-1/kafka-cluster/aws4_request\",\"x-amz-date\":\"20"
	  "261125T212413Z\",\"x-amz-expires\":\"900\",\"x-amz-security-to"
	  "ken\":\"IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHME"
	  "UCIQ+abc/def==\",\"x-amz-signature\":\"4c8bc186abf8bd50c00cd43"
	  "ed2ac7249b62646a5f52f81192369791f8f483567\",\"x-amz-signedhead"
	  "ers\":\"host\"}" },
	{ "java-iam-longterm", "20261125T212453Z",
	  "{\"x-amz-date\":\"20261125T212453Z\",\"x-amz-signedheaders\":"
	  "\"host\",\"x-amz-signature\":\"76234fe74e556153a064c0818aefbf4"
	  "8b15866c1a380b622885d51eb113a0c69\",\"host\":\"b-1.demo.abcdef"
	  ".c2.kafka.us-east-1.amazonaws.com\",\"action\":\"kafka-cluster"
	  ":Connect\",\"x-amz-expires\":\"900\",\"version\":\"2020_10_22"
	  "\",\"x-amz-algorithm\":\"AWS4-HMAC-SHA256\",\"x-amz-credential"
	  "\":\"AKIDEXAMPLE/20261125/us-east-1/kafka-cluster/aws4_request"
	  "\",\"user-agent\":\"aws-msk-iam-auth/2.3.5/aws-sdk-java/2.36.3"
	  " os/Linux#6.18.44-fc-v769 lang/java#17.0.15 md/OpenJDK_64-Bit_"
	  "Server_VM#17.0.15+6-Debian-1deb12u1 md/vendor#Debian md/scala/"
	  "2.13.18\"}" },
	{ "java-iam-session", "20261125T212454Z",
	  "{\"x-amz-date\":\"20261125T212454Z\",\"x-amz-signedheaders\":"
	  "\"host\",\"x-amz-signature\":\"8f785d7af95514f72d1f4719ca1bff2"
	  "1b126152f3a28d4a27a814a0f72daf4c3\",\"host\":\"b-1.demo.abcdef"
	  ".c2.kafka.us-east-1.amazonaws.com\",\"action\":\"kafka-cluster"
	  ":Connect\",\"x-amz-expires\":\"900\",\"x-amz-security-token\":"
	  "\"IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQ+a"
	  "bc/def==\",\"version\":\"2020_10_22\",\"x-amz-algorithm\":\"AW"
	  "S4-HMAC-SHA256\",\"x-amz-credential\":\"AKIDEXAMPLE/20261125/u"
	  "s-east-1/kafka-cluster/aws4_request\",\"user-agent\":\"aws-msk"
	  "-iam-auth/2.3.5/aws-sdk-java/2.36.3 os/Linux#6.18.44-fc-v769 l"
	  "ang/java#17.0.15 md/OpenJDK_64-Bit_Server_VM#17.0.15+6-Debian-"
	  "1deb12u1 md/vendor#Debian md/scala/2.13.18\"}" },
};

const size_t sigv4_vector_count = sizeof(sigv4_vectors) /
    sizeof(sigv4_vectors[0]);
