"""C++ as far as scripts/check_tidy reads it: comments, string literals, and where functions begin and end.

Not a parser. It knows comments, literals and raw strings, digit separators and both branches of #if, and tells a
function's brace from that of a class, a namespace or an initializer by the text in front of it.
"""
import re

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<raw>R"(?P<mark>[^\s()\\]*)\((?P<body>.*?)\)(?P=mark)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<char>'(?:\\.|[^'\\\n])+')
      | (?P<number>(?<!\w)\.?\d(?:'?[\w.])*)""",
    re.S | re.X,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


class Source:
    """One file: `comments` and `strings` are lists of (line, text), `code` has spaces in their places.

    Comments on consecutive lines are one, and so are adjacent string literals. A newline in a text is one in the file.
    """

    def __init__(self, text):
        self.text = text
        self.comments, self.strings, code = [], [], []
        ends, at = {}, 0  # kind -> where its last token ended
        for token in TOKEN.finditer(text):
            kind = token.lastgroup if token["raw"] is None else "raw"
            if token["number"] is not None:
                continue
            code += [text[at : token.start()], _blank(token.group())]
            at = token.end()
            if token["comment"] is not None:
                self._add(self.comments, ends, token, re.sub(r"^(///?<?|/\*+)|\*+/$", "", token.group()), "\n")
            elif kind != "char":
                plain = token["body"] if kind == "raw" else re.sub(r"\\(.)", r" ", token.group()[1:-1])
                self._add(self.strings, ends, token, plain, None)
        self.code = "".join(code) + text[at:]

    def _add(self, units, ends, token, plain, gap):
        """Appends a unit, or continues the one before when only white space lies between (`gap`: exactly that)."""
        between = self.text[ends.get(id(units), 0) : token.start()]
        joined = between.strip() == "" and (gap is None or between.replace(" ", "") == gap)
        if units and joined:
            units[-1] = (units[-1][0], units[-1][1] + "\n" * between.count("\n") + plain)
        else:
            units.append((self.text.count("\n", 0, token.start()) + 1, plain))
        ends[id(units)] = token.end()


def test_names(text):
    """(line, name) of each test case and section; a name may be written as several adjacent literals."""
    for m in re.finditer(r"\b(?:[A-Z_]*TEST_CASE|SECTION|SCENARIO)\(\s*((?:\"(?:\\.|[^\"\\\n])*\"\s*)+)", text):
        parts = re.findall(r"\"((?:\\.|[^\"\\\n])*)\"", m[1])
        yield text.count("\n", 0, m.start(1)) + 1, re.sub(r"\\(.)", r"\1", "".join(parts))


# What a bracket pair becomes in the flat form of the text before a brace.
PARENS, SQUARE, BRACES = "\x11", "\x12", "\x13"


def _flat(head):
    """The text before a brace with each pair of brackets as one mark, and without template arguments."""
    head = re.sub(r"\boperator\s*(\(\s*\)|[^\s\w(]+)", "operator", head).replace("->", "  ")
    pairs = (r"\([^()]*\)", PARENS), (r"\[[^\[\]]*\]", SQUARE), (r"\{[^{}]*\}", BRACES), (r"<[^<>]*>", "")
    for pattern, mark in pairs:
        before = None
        while before != head:
            before, head = head, re.sub(pattern, mark, head)
    return head.strip()


def _kind(flat):
    """What a brace opens behind this text, outside of functions: "function", "scope" or "initializer"."""
    if re.search(rf"(^|[=(,?:&|]|\breturn)\s*{SQUARE}\s*{PARENS}?[\s\w:*&]*({PARENS}[\s\w:*&]*)?$", flat):
        if not re.search(rf"^{SQUARE}\s*\w", flat):  # an attribute and a declaration
            return "function"  # a lambda
    if re.search(r"\b(namespace|class|struct|union|enum)\b", flat) or flat == "extern":
        return "scope"
    if "=" in flat or PARENS not in flat or re.search(rf"\brequires\s*{PARENS}?$", flat):
        return "initializer"
    members = re.search(rf"{PARENS}[^:]*(?<!:):(?!:)", flat)  # of a constructor: a_{1}, b_{2} and then its body
    return "initializer" if members and re.search(r"\w$", flat) else "function"


def _name(flat):
    not_names = ("alignas", "decltype", "explicit", "noexcept", "requires")
    names = [n for n in re.findall(rf"([\w:~]+)\s*{PARENS}", flat) if n not in not_names]
    return names[0] if names else "a lambda"


def functions(code):
    """(first line, last line, name) of each function outside of other functions, of `code` without comments.

    The first line is that of the signature. A lambda in a function belongs to it; one in an initializer counts alone.
    """

    def directive(m):
        mark = {"i": "\x01", "e": "\x02"}.get(m[1][0], " ")
        return ("\x03" if m[1] == "endif" else mark if re.match("if|el", m[1]) else " ") + _blank(m.group()[1:])

    code = re.sub(r"^[ \t]*#[ \t]*(\w+)(?:\\\n|[^\n])*", directive, code, flags=re.M)
    stack, conditions, start, found = [], [], 0, []
    for m in re.finditer("[{};\x01-\x03]", code):
        at, inside = m.start(), any(kind == "function" for kind, *_ in stack)
        if m.group() == "{":
            head = re.sub(r"[\x01-\x03]", " ", code[start:at])
            label = re.match(r"\s*((public|private|protected)\s*:\s*)*", head).end()
            flat = _flat(head[label:])
            stack.append(("block" if inside else _kind(flat), start, start + label, flat))
            start = at + 1
        elif m.group() == "}" and stack:
            kind, before, first, flat = stack.pop()
            start = before if kind == "initializer" else at + 1
            if kind == "function":
                lines = code.count("\n", 0, first) + 1, code.count("\n", 0, at) + 1
                found.append((*lines, _name(flat)))
        elif m.group() == ";" and not inside:
            start = at + 1
        elif m.group() == "\x01":
            conditions.append((list(stack), start))
        elif m.group() == "\x02" and conditions:
            stack, start = list(conditions[-1][0]), at + 1
        elif m.group() == "\x03" and conditions:
            conditions.pop()
    return found
