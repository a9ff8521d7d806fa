"""Writes the table behind NfcNormalizer from Python's Unicode database.

  python3 make_canonical_normalization.py > src/Luffy.Engine/Text/Unicode/canonical-normalization.txt

Lines: `CP=CP [CP]` canonical decomposition that also composes, `CP!CP [CP]` one that never composes, `FIRST-LAST:CLASS` combining class.
Hangul is algorithmic and not listed.
"""
import sys
import unicodedata

print(f"# Canonical decompositions and combining classes of Unicode {unicodedata.unidata_version}; made by make_canonical_normalization.py.")
start = None
for cp in range(0x110000):
    if 0xD800 <= cp <= 0xDFFF:
        continue
    mapping = unicodedata.decomposition(chr(cp))
    if mapping and not mapping.startswith("<"):
        composes = unicodedata.normalize("NFC", chr(cp)) == chr(cp)
        print(f"{cp:X}{'=' if composes else '!'}{' '.join(format(int(p, 16), 'X') for p in mapping.split())}")
runs = []
for cp in range(0x110000):
    ccc = unicodedata.combining(chr(cp))
    if not ccc:
        continue
    if runs and runs[-1][1] == cp - 1 and runs[-1][2] == ccc:
        runs[-1][1] = cp
    else:
        runs.append([cp, cp, ccc])
for first, last, ccc in runs:
    print(f"{first:X}-{last:X}:{ccc}")
