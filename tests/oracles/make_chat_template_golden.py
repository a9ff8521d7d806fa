"""Renders templates with Jinja2 set up as transformers sets it up, for the golden tests of ChatTemplate.

  python3 make_chat_template_golden.py OUTPUT_FOLDER [QWEN_TOKENIZER_CONFIG]      (needs jinja2 3.1)

Writes jinja.jsonl ({template, expected} or {template, error: true} where Jinja2 refuses; over jinja-variables.json), chat.jsonl (conversations through
the templates of chat-templates.json) and, where Qwen2.5's tokenizer_config.json is given, qwen2.5-chat.jsonl (conversations only: the template stays where it is).
"""
import json
import sys

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment


def make_environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


ENV = make_environment()
VARIABLES = {
    "name": "Ann", "n": 7, "x": 2.5, "yes": True, "no": False, "nothing": None, "empty": "", "text": "  Hello, World 中 😀 \n", "quote": "it's \"so\"",
    "list": [3, 1, 2], "names": ["b", "A", "c"], "nested": [[1, 2], [3, 4]],
    "users": [{"name": "Bo", "age": 3, "on": True}, {"name": "Al", "age": 30, "on": False}, {"name": "Cy", "on": True, "tag": {"k": "v"}}],
    "map": {"b": 1, "a": [1, None, 2.0], "items": "shadow"},
}

TEMPLATES = r"""
plain text
{{ name }}|{{ n }}|{{ x }}|{{ yes }}|{{ nothing }}|{{ missing }}|{{ list }}|{{ map }}|{{ quote }}
{{ [1.0, 1e20, 1.5e-7, 0.1, 123456789.125, -0.0, 1e16, 1e15, 0.0001, 0.00001] }}
{{ 1 + 2 * 3 }}{{ 7 // 2 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 7 / 2 }}{{ 2 ** 3 }}{{ 2 ** -1 }}{{ 2 ** 3 ** 2 }}{{ 4 / 2 }}{{ 7.5 // 2 }}{{ -7.5 % 2 }}
{{ 'a' ~ 1 ~ none ~ true }}{{ 'a' + 'b' }}{{ 'ab' * 3 }}{{ [1] + [2] }}{{ 'a' 'b' }}
{{ 1 < 2 < 3 }}{{ 1 == 1.0 }}{{ true == 1 }}{{ 'a' < 'b' }}{{ [1, 2] == [1, 2] }}{{ none == none }}{{ missing == missing2 }}{{ 'a' == 1 }}
{{ 1 in list }}{{ 9 not in list }}{{ 'b' in map }}{{ 'ell' in text }}{{ not 1 in list }}
{{ yes and 'a' or 'b' }}{{ no or '' or 'c' }}{{ not no }}{{ not (yes and no) }}
{{ 'a' if yes else 'b' }}{{ 'a' if no }}{{ 'a' if no else 'b' if no else 'c' }}
{{ list[0] }}{{ list[-1] }}{{ list[9] }}{{ list[1:] }}{{ list[:-1] }}{{ list[::-1] }}{{ text[2:7] }}{{ text[::-1] }}{{ list[5:1:-1] }}{{ 'abcdef'[1:5:2] }}{{ text[-4] }}
{{ map.b }}{{ map['b'] }}{{ map['items'] }}{{ map.a.1 }}{{ map.a[2] }}{{ map.nope }}{{ map['nope'] is defined }}{{ users[0].name }}{{ users[2].tag.k }}
{% for k, v in map.items() %}{{ k }}={{ v }};{% endfor %}
{% for k in map %}{{ k }}{% endfor %}{{ map.keys() | list }}{{ map.values() | list }}{{ map.get('zz', 5) }}{{ map.get('b') }}{{ map.get('q') }}
{% for i in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}
{% for i in list if i > 1 %}{{ i }}{{ loop.last }}{% else %}none{% endfor %}{% for i in [] %}x{% else %}none{% endfor %}{% for i in missing %}x{% else %}none{% endfor %}
{% for i in list %}{% for j in nested %}{{ loop.depth }}{{ loop.cycle('a', 'b') }}{% endfor %}{{ loop.changed(i // 2) }}{% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}{{ range(3) | list }}{{ range(5, 1, -2) | list }}
{% for c in 'a中😀' %}[{{ c }}]{% endfor %}{% for a, b in nested %}{{ a }}-{{ b }};{% endfor %}
{% set a = 1 %}{% for i in list %}{% set a = a + i %}{{ a }},{% endfor %}{{ a }}
{% set ns = namespace(total=0, seen=false) %}{% for i in list %}{% set ns.total = ns.total + i %}{% endfor %}{{ ns.total }}{{ ns.seen }}{{ ns.nope }}
{% set a, b = nested[0] %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t | length }}{% set block %} in {{ name }} {% endset %}[{{ block }}]{% set up | upper %}abc{% endset %}{{ up }}
{% if no %}a{% elif n > 5 %}b{% else %}c{% endif %}{% if missing %}a{% else %}b{% endif %}{% if missing is not defined %}u{% endif %}{% if n and not no %}y{% endif %}
{% macro greet(who, other, mark='!') %}Hi {{ who }}{{ mark }}{{ other is defined }}{% endmacro %}{{ greet('Bo') }}{{ greet('Al', mark='?') }}{{ greet(who='Cy', other=1) }}{{ greet() }}
{% macro rec(k) %}{{ k }}{% if k > 0 %}{{ rec(k - 1) }}{% endif %}{% endmacro %}{{ rec(4) }}
{% set outer = 'o' %}{% macro m() %}{{ outer }}{{ name }}{% endmacro %}{% for i in [1] %}{% set outer = 'in' %}{{ m() }}{% endfor %}
{{ text | trim }}|{{ text.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xxa'.lstrip('x') }}|{{ 'axx'.rstrip('x') }}|{{ 'xxaxx' | trim('x') }}
{{ 'a,b,,c'.split(',') }}{{ ' a  b c '.split() }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ 'a b  c'.split(maxsplit=1) }}{{ 'a</think>b</think>c'.split('</think>')[-1] }}
{{ 'Hello'.upper() }}{{ 'Hello'.lower() }}{{ 'hello world'.title() }}{{ 'hELLO'.capitalize() }}{{ 'abc'.replace('b', 'x') }}{{ 'aaa'.replace('a', 'b', 2) }}{{ 'abc'.find('c') }}{{ 'abc'.find('z') }}{{ 'abcabc'.rfind('b') }}{{ 'banana'.count('an') }}
{{ 'abc'.startswith('a') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('c') }}{{ '12'.isdigit() }}{{ 'ab'.isalpha() }}{{ 'a1'.isalnum() }}{{ ' '.isspace() }}{{ ', '.join(names) }}{{ 'a\nb\r\nc\n'.splitlines() }}
{{ names | join(', ') }}{{ users | join('|', attribute='name') }}{{ list | sort }}{{ names | sort }}{{ names | sort(case_sensitive=true) }}{{ list | sort(reverse=true) }}{{ users | map(attribute='name') | list }}{{ users | sort(attribute='name') | map(attribute='name') | join }}
{{ names | map('upper') | list }}{{ list | map('string') | join('+') }}{{ users | selectattr('on') | map(attribute='name') | list }}{{ users | rejectattr('on') | list | length }}{{ users | selectattr('name', 'equalto', 'Al') | list }}{{ list | select('odd') | list }}{{ list | reject('gt', 1) | list }}{{ users | map(attribute='age', default=0) | list }}{{ users | selectattr('age', 'defined') | map(attribute='age') | sum }}
{{ list | first }}{{ list | last }}{{ [] | first }}{{ list | max }}{{ list | min }}{{ list | sum }}{{ list | length }}{{ text | count }}{{ map | length }}{{ 'abc' | reverse }}{{ list | reverse | list }}{{ [1, 1, 2] | unique | list }}{{ 'abc' | list }}
{{ missing | default('d') }}{{ empty | default('d') }}{{ empty | default('d', true) }}{{ none | d('x') }}{{ missing | default }}
{{ 3.7 | int }}{{ '42' | int }}{{ 'x' | int }}{{ 'x' | int(5) }}{{ '3.5' | float }}{{ 3 | float }}{{ -3 | abs }}{{ 2.567 | round(2) }}{{ 2.5 | round }}{{ 2.1 | round(0, 'ceil') }}{{ 5 | string }}{{ '3.9' | int }}
{{ map | tojson }}{{ 'a"b\n\t\\é中\x01' | tojson }}{{ map | tojson(indent=2) }}{{ [] | tojson }}{{ {} | tojson(indent=2) }}{{ {'é': 1} | tojson(ensure_ascii=true) }}{{ {'b': 1, 'a': [1, 2]} | tojson(sort_keys=true, separators=(',', ':')) }}{{ 1.0 | tojson }}{{ none | tojson }}{{ true | tojson }}
{{ map | dictsort }}{{ {'b': 1, 'a': 2} | dictsort(by='value') }}{{ {'b': 1} | items | list }}{{ '<a & "b">' | e }}{{ 'a\nb\n\nc' | indent(2) }}{{ 'a\nb' | indent(2, true) }}{{ 'hello' | capitalize }}{{ 'HELLO' | lower }}{{ 'a b' | title }}{{ 'abc' | replace('b', '-') }}{{ 'x' | safe }}{{ 'abc' | upper }}
{{ n is number }}{{ n is integer }}{{ x is float }}{{ 'a' is string }}{{ map is mapping }}{{ list is sequence }}{{ list is iterable }}{{ n is iterable }}{{ yes is boolean }}{{ yes is true }}{{ no is false }}{{ nothing is none }}{{ missing is undefined }}{{ n is odd }}{{ n is even }}{{ n is divisibleby 7 }}{{ n is divisibleby(2) }}{{ 'a' is in 'abc' }}{{ n is eq 7 }}{{ n is gt 3 }}{{ n is not none }}{{ 'ab' is lower }}{{ 'AB' is upper }}{{ n is sameas n }}{{ map.items is callable }}{{ true is number }}{{ true is integer }}
{{ n is defined and n is not none and n > 3 }}{{ missing is defined and missing.x }}{{ (n is odd) ~ 'x' }}{{ users[0].age is defined }}{{ users[2].age is defined }}
{%- if yes -%}  a  {%- endif -%}  b  {{- name -}}  c
a   {%- if yes %} b {% endif -%}   c  {#- note -#}  d {# note #} e
{% raw %}{{ not }} {% evaluated %}{% endraw %}|{% raw -%}  x  {%- endraw %}|
{{ "a\tb\\n\u00e9\x41\q'" }}{{ '\'' }}{{ 'a' 'b' "c" }}
{{ {'a': 1, 'b': {'c': [1, (2, 3)]}}.b.c[1][0] }}{{ {'a': 1}['a'] }}{{ ({'a': 1}).a }}{{ dict(a=1, b=2) }}{{ [1, 2, ] }}{{ () | length }}{{ (1,) | length }}{{ 'a' in ('a', 'b') }}
{% filter upper %}abc {{ name }}{% endfilter %}{% filter trim | upper %}  q  {% endfilter %}
{{- name }}{{ name -}}   {{+ n }}
{% if (n == 7) or (missing.x == 1) %}ok{% endif %}{{ -n }}{{ - n + 1 }}{{ -n | abs }}{{ (-n) | abs }}{{ 2 - -3 }}{{ +n }}
{{ 1 if n else 2 ~ 'a' }}{{ n ~ '' == '7' }}{{ 10 - 2 - 3 }}{{ 2 * 3 % 4 }}{{ 1_000 }}
{{ 'abc'[0] }}{{ 'abc'[-1:] }}{{ 'abc'['upper']() }}{{ map['keys']() | list }}{{ list | length - 1 }}{{ list[list | length - 1] }}{{ (list | length) > 2 }}
{{ [1, [2, 'x'], {'k': none}] }}{{ ["it's", 'say "hi"', "both ' and \"", '\n\\'] }}{{ (1 == 1) | string | lower }}
{{ 'a' ~ n + 1 }}
{% macro greet(a='!', b) %}{% endmacro %}
{{ missing.x }}
{{ missing + 1 }}
{{ missing() }}
{{ 1 + 'a' }}
{{ n.nope.nope }}
{{ raise_exception('stop ' ~ name) }}
{% for a, b in list %}{% endfor %}
{{ 1 // 0 }}
{{ n | length }}
{{ [1, 'a'] | sort }}
{{ nothing.x.y }}
{{ list.append(1) }}
{% if yes %}
{{ 'abc' | nosuch }}
{{ n is nosuch }}
{% nosuch %}
{{ 'abc
{% for i in list %}{% endif %}
{{ ) }}
{% endfor %}
{{ name }
""".strip("\n").split("\n")

MULTILINE = [
    "{% for u in users %}\n  {{ u.name }}\n    {% if u.on %}\n  on\n    {% endif %}\n{% endfor %}\nend\n",
    "  {% if yes %}  \n x {% endif %}\n  {# c #}\n  {{ name }}\n\n",
    "a\n   {%+ if yes %}\n b\n   {%+ endif +%}\nc\n",
    "{%- for u in users -%}\n  {{ u.name }}\n{%- endfor -%}\n\n tail \n",
    "x {% if yes %}\n\n  y\n {% endif %} z {% set q = 1 %}\n{{ q }}\n\t{% if yes %}t{% endif %}\n",
    "{% if yes %}\n{% set a = 1 %}\n  {%- set b = 2 %}\n{{ a + b }}{% endif %}\n\n\n",
    "{#- head -#}\n\nline1\r\nline2\r{{ name }}\r\n",
    "{% raw %}\n {{ x }}\n  {% endraw %}\n  {% raw -%}\n y {%- endraw -%}\n z",
    "{{\n  name\n}}\n{%\n if yes\n%}\n in\n{%\n endif\n%}\nout",
    "{% macro m(a) %}\n  [{{ a }}]\n{% endmacro %}\n{{ m(1) }}\n{{ m(2) }}\n",
    "   {% for i in list %}{{ i }}\n   {% endfor %}",
    "{{ name }}\n{% if yes %}\n{{ name }}\n{% endif %}\n{{ name }}",
]

LLAMA3 = (
    "{{- bos_token }}\n{%- if custom is defined %}\n    {%- set tools = custom %}\n{%- endif %}\n{%- if not date_string is defined %}\n"
    "    {%- if strftime_now is defined %}\n        {%- set date_string = strftime_now(\"%d %b %Y\") %}\n    {%- else %}\n"
    "        {%- set date_string = \"26 Jul 2024\" %}\n    {%- endif %}\n{%- endif %}\n\n{%- if messages[0]['role'] == 'system' %}\n"
    "    {%- set system_message = messages[0]['content']|trim %}\n    {%- set messages = messages[1:] %}\n{%- else %}\n"
    "    {%- set system_message = \"\" %}\n{%- endif %}\n\n{{- \"<|start_header_id|>system<|end_header_id|>\\n\\n\" }}\n{{- \"Date: \" + date_string + \"\\n\\n\" }}\n"
    "{{- system_message }}\n{{- \"<|eot_id|>\" }}\n{%- for message in messages %}\n    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}\n"
    "        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}\n"
    "    {%- elif 'tool_calls' in message %}\n        {%- if not message.tool_calls|length == 1 %}\n            {{- raise_exception(\"one call at a time\") }}\n        {%- endif %}\n"
    "        {%- set tool_call = message.tool_calls[0].function %}\n        {{- '{\"name\": \"' + tool_call.name + '\", \"parameters\": ' }}{{- tool_call.arguments | tojson }}{{- \"}\" }}\n"
    "    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n"
)
THINK = (
    "{% if messages[0]['role'] == 'system' %}{{ '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}{% endif %}\n"
    "{% for message in messages %}\n{% if message['role'] == 'user' %}{{ '<|im_start|>user\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|im_start|>assistant\\n' + message['content'].split('</think>')[-1].lstrip('\\n') + '<|im_end|>\\n' }}{% endif %}{% endfor %}\n"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"
)
QWEN3_LIKE = (
    "{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n"
    "    {%- if ns.multi_step_tool and message.role == \"user\" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}\n"
    "        {%- set ns.multi_step_tool = false %}\n        {%- set ns.last_query_index = index %}\n    {%- endif %}\n{%- endfor %}\n{%- for message in messages %}\n"
    "    {%- if message.content is string %}\n        {%- set content = message.content %}\n    {%- else %}\n        {%- set content = '' %}\n    {%- endif %}\n"
    "    {%- if message.role == \"assistant\" %}\n        {%- set reasoning_content = '' %}\n        {%- if '</think>' in content %}\n"
    "            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n        {%- endif %}\n"
    "        {%- if loop.index0 > ns.last_query_index %}\n            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}\n"
    "        {%- else %}\n            {{- '<|im_start|>' + message.role + '\\n' + content }}\n        {%- endif %}\n        {{- '<|im_end|>\\n' }}\n    {%- else %}\n"
    "        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n"
    "    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}"
)
CALL = {"function": {"name": "add", "arguments": {"a": 1, "b": [2.5, "é"]}}}
CONVERSATIONS = [
    [{"role": "user", "content": "What is 2 + 2?"}],
    [{"role": "system", "content": "Think first."}, {"role": "user", "content": " Größe 中 \n"}],
    [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\n4"}, {"role": "user", "content": "Why?"}],
    [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\n4"}],
    [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "", "tool_calls": [CALL]}, {"role": "tool", "content": "3.5"}, {"role": "tool", "content": "x"}],
]
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds \"two\" numbers", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}}}}]
EXTRAS = [{}, {"tools": TOOLS}, {"enable_thinking": False}]


def render(template, variables):
    try:
        return {"expected": ENV.from_string(template).render(**variables)}
    except (jinja2.exceptions.TemplateError, TypeError, ValueError, ZeroDivisionError, AttributeError):
        return {"error": True}


def conversations(template, name):
    for messages in CONVERSATIONS:
        for generate in (True, False):
            for extra in EXTRAS:
                base = {"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>"}
                row = {"template": name} if name else {}
                variables = {**base, **extra, "messages": messages, "add_generation_prompt": generate}
                yield {**row, "messages": messages, "add_generation_prompt": generate, "variables": extra, **render(template, variables)}


def write(file, rows):
    with open(file, "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


folder = sys.argv[1]
with open(f"{folder}/jinja-variables.json", "w", encoding="utf-8") as out:
    json.dump(VARIABLES, out, ensure_ascii=False, indent=1)
    out.write("\n")
write(f"{folder}/jinja.jsonl", ({"template": t, **render(t, VARIABLES)} for t in TEMPLATES + MULTILINE))
CHAT = {"llama3-like": LLAMA3, "think": THINK, "qwen3-like": QWEN3_LIKE}
with open(f"{folder}/chat-templates.json", "w", encoding="utf-8") as out:
    json.dump(CHAT, out, indent=1)
    out.write("\n")
write(f"{folder}/chat.jsonl", (row for name, t in CHAT.items() for row in conversations(t, name)))
if len(sys.argv) > 2:
    write(f"{folder}/qwen2.5-chat.jsonl", conversations(json.load(open(sys.argv[2]))["chat_template"], None))
