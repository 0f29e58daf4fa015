"""What the odd server says, byte by byte, and what it must be at the other end."""

import re

# With those of the four odd servers, as many tools as a node may share; and the size of a result that is large.
ODD_TOOLS = ("odd", "large", "heard")
MANY_TOOLS = 10_000 - 4 * len(ODD_TOOLS)
PAGE_TOOLS = 700
LARGE_BYTES = 8 * 1024 * 1024

MODERN_MEMBER = b'"resultType":"complete"'

# Unknown members and content types, keys out of order, escapes that say the same in other letters, numbers that no
# float holds, white space where none is needed. `%s` is where the modern era has its own member.
RESULT = (
    rb'{"zeta":[ ],"content":[{"type":"hologram","z":{"b":1,"a":2},"\u0061b":"\u00e9\ud83d\ude00 \/ \u2028"},'
    rb'{"text":"plain","type":"text","annotations":{"vendor/priority":1e-400}}] ,"huge":123456789012345678901234567890,'
    rb'"exponent":1.0E+2,"negative":-0,%s"structuredContent":{"$defs":{"x":{"$ref":"#/$defs/x"}},"":null},'
    rb'"isError":false,"_meta":{"vendor/x":{"progressToken":"mine"}},"last":"}\"{"}'
)
DEFINITION = (
    rb'{"x-vendor":{"b":[1,2,{"c":null}],"a":18446744073709551616},"name":"%s","title":"Odd \u00fc",'
    rb'"inputSchema":{"type":"object","$defs":{"n":{"$ref":"#/$defs/n","const":1e400}},"properties":'
    rb'{"n":{"$ref":"#/$defs/n"},"$schema":{"enum":[-0.0,1E5]}},"$comment":"\/kept"} , "description":"\ud83d\ude00"}'
)
# The arguments of a call, as oddly written.
ARGUMENTS = rb'{"z":1.50,"a":[ 1e-7 ,{"\u006e":98765432109876543210}],"name":"inner","_meta":{"x":1}}'


def result(era: str) -> bytes:
    """The result of the tool `odd` at a server of this era."""
    return RESULT % (MODERN_MEMBER + b"," if era == "modern" else b"")


def pretty(raw: bytes) -> bytes:
    """The same over several lines; line breaks only where JSON allows them."""
    return raw.replace(b',"', b',\r\n  "')


def large(era: str) -> bytes:
    """A result of a little more than `LARGE_BYTES`."""
    member = MODERN_MEMBER + b"," if era == "modern" else b""
    return b'{"content":[{"type":"text","text":"' + b"0123456789abcdef" * (LARGE_BYTES // 16) + b'"}],' + member + b'"k":1}'


def definition(name: str) -> bytes:
    return DEFINITION % name.encode()


def expected(raw: bytes, upstream: str, caller: str, on_lines: bool) -> bytes:
    """What a caller of one era is told of a result of a server of the other, whole or on one line."""
    if upstream == "legacy" and caller == "modern":
        raw = b"{" + MODERN_MEMBER + b"," + raw[1:]
    if upstream == "modern" and caller == "legacy":
        raw = re.sub(rb'(\r\n  )?"resultType":"complete",', b"", raw)
    return raw.replace(b"\r", b" ").replace(b"\n", b" ") if on_lines else raw
