# SPDX-License-Identifier: GPL-2.0
"""The same message through mosquitto_sub and through kmqtt sub's formatter: the same output."""

import ctypes
import ctypes.util
import json
import os
import re
import subprocess

import pytest

from conftest import Message, show

PLAIN = Message("form/plain", b"hello world", qos=1)
EMPTY = Message("form/empty")
BINARY = Message("form/binary", bytes(range(1, 256)) * 3, qos=2)
FULL = Message("form/full", '{"a": [1, 2.50, "\u00e9\\n"], "b": {}}'.encode(), qos=1,
               users=[("key", "value"), ("key", "other"), ("empty", "")],
               content_type="application/json", correlation_data="c0rr",
               response_topic="form/answer", payload_format_indicator=1, expiry=3600)
MESSAGES = {"plain": PLAIN, "empty": EMPTY, "binary": BINARY, "full": FULL}

FORMATS = [
    "%t", "%p", "%q", "%r", "%l", "%m", "%x", "%X", "%C", "%D", "%E", "%F", "%P", "%R", "%S",
    "%A", "%%", "@@", r"\\|\0|\a|\e|\n|\r|\t|\v|", "plain text", "%t %p %q %r %l %m",
    "%20t|", "%-20t|", "%5t|", "%.4t|", "%10.4t|", "%-10.4t|", "%020t|",
    "%20p|", "%-20p|", "%5p|", "%020p|", "%5.3p|", "%.3x|",
    "%8x|", "%-8x|", "%08x|", "%8X|", "%-40x|", "%040X|", "%7x|",
    "%8l|", "%-8l|", "%08l|", "%-08l|", "%5m|", "%05m|", "%5q|", "%05r|",
    "%30C|", "%-30C|", "%.4C|", "%30D|", "%8E|", "%-8E|", "%08E|", "%4F|", "%04F|", "%-4F|",
    "%30P|", "%30R|", "%-30R|", "%.3R|", "%4S|", "%04S|", "%-4S|", "%4A|", "%04A|",
]


@pytest.mark.parametrize("kind", MESSAGES)
def test_formats(both, kind):
    """All formats at once; a NUL byte would end nothing, so it can separate them."""
    theirs, ours = both(MESSAGES[kind], "-F", r"\0".join(FORMATS))
    for number, form in enumerate(FORMATS):
        assert ours[0].split(b"\0")[number] == theirs[0].split(b"\0")[number], form
    assert ours == theirs


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("options", [[], ["-v"], ["-N"], ["-v", "-N"]], ids=" ".join)
def test_plain_output(both, kind, options):
    theirs, ours = both(MESSAGES[kind], *options)
    assert ours == theirs


def without_time(output):
    text, count = re.subn(rb'"tst":(\t?)"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\+0000"',
                          rb'"tst":\1"T"', output[0])
    assert count or not output[0].strip()
    return text, output[1]


@pytest.mark.parametrize("kind", ["plain", "empty", "full"])
@pytest.mark.parametrize("form", ["%j", "%J"])
@pytest.mark.parametrize("pretty", [[], ["--pretty"]], ids=["short", "pretty"])
def test_json(both, kind, form, pretty):
    """The members, their order and the blanks between them."""
    theirs, ours = both(MESSAGES[kind], "-F", form, *pretty)
    assert without_time(ours) == without_time(theirs)


# The members are in the order of the wire.
MIXED = Message("form/mixed", b"x", content_type="a", users=[("k", "v")], response_topic="b",
                expiry=60)


@pytest.mark.parametrize("message", [PLAIN, FULL, MIXED], ids=["plain", "full", "mixed"])
def test_json_subscription_identifier(both, message):
    theirs, ours = both(message, "-F", "%j|%S|%5S|%-5S|%05S", sub_id=77)
    assert without_time(ours) == without_time(theirs)
    assert b'"subscription-identifier":77' in ours[0]


TEXTS = [
    "null", "true", "false", "0", "-0", "1", "-1.5", "1e3", "1E+3", "1e-7", "0.1",
    "3.14159265358979", "123456789012345678", "1e400", "01", "1.", '""',
    '"a"', r'"\"\\\/\b\f\n\r\t"',
    r'"\u0041\u00e9"',
    r'"\ud83d\ude00"', '"caf\u00e9"', "[]", "[1]", "[1,[2,[]],{}]", "{}", '{"a":{}}',
    '{"a":1,"a":2}', ' { "a" : [ 1 , 2 ] , "b" : null } ', '[{"a":1},{"b":[{"c":2}]}]',
    "\ufeff[1]", "[" * 900 + "]" * 900,
    # not JSON
    "", " ", "nul", "truth", "1 2", "[1,]", "[,1]", "[1", "{", '{"a"}', '{"a":}', '{"a":1,}',
    "{a:1}", "{1:1}", '"a', r'"\x"', r'"\u12"', r'"\udc00"', r'"\ud800"', r'"\ud800\u0041"',
    "-", "+1", ".5", "'a'", "[1}", "[" * 1001 + "]" * 1001,
]


def cjson():
    """cJSON, which mosquitto_sub uses."""
    lib = ctypes.CDLL(ctypes.util.find_library("cjson"))
    lib.cJSON_Parse.restype = ctypes.c_void_p
    lib.cJSON_ParseWithOpts.restype = ctypes.c_void_p
    lib.cJSON_ParseWithOpts.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
    for function in (lib.cJSON_Print, lib.cJSON_PrintUnformatted):
        function.restype = ctypes.c_char_p
        function.argtypes = [ctypes.c_void_p]
    return lib


@pytest.mark.parametrize("pretty", [False, True], ids=["short", "pretty"])
@pytest.mark.parametrize("text", TEXTS, ids=[f"{n}-{text[:12]!r}" for n, text in enumerate(TEXTS)])
def test_json_texts(text, pretty):
    """Each text is taken or refused, and written, as cJSON does."""
    lib = cjson()
    tree = lib.cJSON_ParseWithOpts(text.encode(), None, True)
    expected = None
    if tree:
        expected = (lib.cJSON_Print if pretty else lib.cJSON_PrintUnformatted)(tree)
        if pretty:  # it is one level deeper in the message
            expected = expected.replace(b"\n", b"\n\t")
    record = Message("json", text.encode() or b" ").record(0)
    out, err = show(record, "-F", "%J", *(["--pretty"] if pretty else []))
    if expected is None:
        assert out == b"\n"
        assert err == b"Error: Message payload is not valid JSON on topic json.\n"
    else:
        key = b'"payload":\t' if pretty else b'"payload":'
        assert out.split(key, 1)[1] == expected + (b"\n}\n" if pretty else b"}\n")
        assert err == b""


def test_json_of_bytes():
    """What is no text is an array of numbers, and what is printed is always JSON."""
    for payload in (b"\0", b"a\0b", b"\xff", b"\xc3", b"caf\xc3\xa9", bytes(range(256))):
        out, _ = show(Message("json", payload).record(0), "-F", "%j")
        value = json.loads(out)["payload"]
        assert (value.encode() if isinstance(value, str) else bytes(value)) == payload


NOT_UTF8 = [b"\xff", b"\xc3", b"\xc3(", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80", b"a\x80"]


@pytest.mark.parametrize("data", NOT_UTF8, ids=repr)
def test_json_is_utf8(data):
    """A payload, or correlation data, that is no UTF-8 does not make it no JSON (RFC 8259, 8.1)."""
    out, _ = show(Message("json", data, correlation_data=data).record(0), "-F", "%j")
    value = json.loads(out.decode())
    assert bytes(value["payload"]) == bytes(value["properties"]["correlation-data"]) == data
    out, err = show(Message("json", b'{"a":"' + data + b'"}').record(0), "-F", "%J")
    assert (out, err) == (b"\n", b"Error: Message payload is not valid JSON on topic json.\n")


def test_times():
    """@ passes a letter to strftime(); the time is that of receipt."""
    record = Message("time", b"x").record(0, time_ns=1234567890 * 10**9 + 12345678)
    out, _ = show(record, "-F", "%I|%U|@Y-@m-@dT@H:@M:@S.@N@Z|%30I|%-30I|%.4I|%j")
    assert out == (b"2009-02-13T23:31:30+0000|1234567890.012345678|"
                   b"2009-02-13T23:31:30.012345678UTC|"
                   b"      2009-02-13T23:31:30+0000|2009-02-13T23:31:30+0000      |2009|"
                   b'{"tst":"2009-02-13T23:31:30.012345Z+0000","topic":"time","qos":0,"retain":0,'
                   b'"payloadlen":1,"payload":"x"}\n')


def test_old_version_hides_properties():
    """As mosquitto_sub without MQTT 5: no property is seen."""
    record = FULL.record(1)
    out, _ = show(record, "-V", "mqttv311", "-F", "%C|%D|%E|%F|%P|%R|%S|%j")
    assert out.startswith(b"|||||||{") and b"properties" not in out
    out, _ = show(record, "-V", "mqttv5", "-F", "%C")
    assert out == b"application/json\n"


def test_several_records():
    records = b"".join(Message("n", b"%d" % n).record(0) for n in range(3))
    assert show(records)[0] == b"0\n1\n2\n"
    assert show(records, "-N")[0] == b"012"


BAD = ["%", "%-", "%0", "%5", "%5.", "%-5.3", "%Z", "%b", "%d", "%f", "%--t", "@", "\\", "\\q",
       "\\1"]


@pytest.mark.parametrize("form", BAD)
def test_bad_formats(form):
    """Refused with the words of mosquitto_sub."""
    theirs = subprocess.run(["mosquitto_sub", "-t", "a", "-F", form], capture_output=True,
                            check=False)
    ours = subprocess.run([os.path.join(os.environ["KMQTT_BIN"], "kmqtt_sub"), "-t", "a",
                           "-F", form], capture_output=True, check=False)
    assert ours.returncode == theirs.returncode == 1
    assert ours.stderr == theirs.stderr.replace(b"mosquitto_", b"kmqtt_")
