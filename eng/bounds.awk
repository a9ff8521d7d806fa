# What eng/ptx-report.sh and eng/cuda-report.sh share: a file of bounds, read with part=bounds, and refusals. `named` is the file's name.
#   lines "KERNEL SPILL REGISTERS SHARED", * in KERNEL for any characters; of the lines that fit a kernel the last counts, and where none
#   does, * 0 255 49152
function refuse(text) { print "FAILED " text; bad = 1 }
function expression_of(pattern) {
  gsub(/[^*A-Za-z0-9_]/, "[&]", pattern)
  gsub(/\*/, ".*", pattern)
  return "^" pattern "$"
}
# The last line whose pattern fits; 0 is the default.
function bound_of(name,   i, fitting) {
  fitting = 0
  for (i = 1; i <= bounds; i++) if (name ~ expression[i]) { fitting = i; fits[i] = 1 }
  return fitting
}
function check(title, target, what, value, most) {
  if (value > most) refuse(title " (" target "): " value " " what ", and the bound in " named " is " most)
}
function refuse_unused(   i) {
  for (i = 1; i <= bounds; i++) if (kernel[i] != "*" && !fits[i]) refuse(kernel[i] " has a bound in " named " and is not there")
}
BEGIN { spill_bound[0] = 0; register_bound[0] = 255; shared_bound[0] = 49152 }

part == "bounds" {
  sub(/#.*/, "")
  if (NF == 0) next
  if (NF != 4 || ($2 $3 $4) !~ /^[0-9]+$/) { refuse("line " FNR " of " named " is not KERNEL SPILL REGISTERS SHARED"); next }
  kernel[++bounds] = $1
  expression[bounds] = expression_of($1)
  spill_bound[bounds] = $2; register_bound[bounds] = $3; shared_bound[bounds] = $4
  next
}
