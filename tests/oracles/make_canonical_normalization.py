"""Writes the table behind NfcNormalizer from Python's Unicode database, with what Perl says was there in Unicode 9.

  python3 make_canonical_normalization.py > src/Luffy.Engine/Text/Unicode/canonical-normalization.txt

Lines: `CP=CP [CP]` canonical decomposition that also composes, `CP!CP [CP]` one that never composes, `FIRST-LAST:CLASS` combining class.
Hangul is algorithmic and not listed.

Unicode 9, because that is what Hugging Face tokenizers normalises by (its crate unicode-normalization-alignments), whatever is newer elsewhere:
models were trained on ids that come out of it. Normalisation of characters is stable, so leaving out those that came later is all it takes.
"""
import subprocess
import unicodedata

PRESENT = set(map(int, subprocess.run(
    ["perl", "-e", 'for (0..0x10FFFF) { next if $_ >= 0xD800 && $_ <= 0xDFFF; print "$_\\n" if chr($_) =~ /\\p{Present_In: 9.0}/ }'],
    check=True, capture_output=True, text=True).stdout.split()))

print("# Canonical decompositions and combining classes of Unicode 9.0.0; made by make_canonical_normalization.py.")
start = None
for cp in range(0x110000):
    if cp not in PRESENT:
        continue
    mapping = unicodedata.decomposition(chr(cp))
    if mapping and not mapping.startswith("<"):
        composes = unicodedata.normalize("NFC", chr(cp)) == chr(cp)
        print(f"{cp:X}{'=' if composes else '!'}{' '.join(format(int(p, 16), 'X') for p in mapping.split())}")
runs = []
for cp in range(0x110000):
    ccc = unicodedata.combining(chr(cp))
    if not ccc or cp not in PRESENT:
        continue
    if runs and runs[-1][1] == cp - 1 and runs[-1][2] == ccc:
        runs[-1][1] = cp
    else:
        runs.append([cp, cp, ccc])
for first, last, ccc in runs:
    print(f"{first:X}-{last:X}:{ccc}")
