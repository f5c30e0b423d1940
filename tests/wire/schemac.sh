#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What schemac must refuse, and how it says so. Usage: schemac.sh SCHEMAC
set -u
schemac=$1
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# check WHAT EXPECTED: $dir/x.schema must fail with "line: why".
check() {
	if out=$("$schemac" "$dir/x.schema" "$dir" 2>&1); then
		out="accepted"
	fi
	case $out in
	"$dir/x.schema:$2"*)
		passed=$((passed + 1)) ;;
	*)
		failed=$((failed + 1))
		printf '%s: expected %s\n  got %s\n' "$1" "$2" "$out" ;;
	esac
}

# refuse WHAT EXPECTED < TEXT
refuse() {
	cat > "$dir/x.schema"
	check "$1" "$2"
}

# field WHAT EXPECTED LINE...: in a request whose third line is the first.
field() {
	what=$1 want=$2
	shift 2
	{
		echo 'api x 1  versions 0-4  flexible 2+'
		echo 'request'
		printf '    %s\n' "$@"
		echo 'response'
		echo '    done bool 0+'
	} > "$dir/x.schema"
	check "$what" "$want"
}

field 'string without a meaning' "3: string 'a' must state its @meaning" \
	'a string 0+'
field 'bytes without a meaning' "3: bytes 'a' must state" 'a bytes 0+'
field 'uuid without a meaning' "3: uuid 'a' must state" 'a uuid 0+'
field 'strings without a meaning' "3: string 'a' must state" 'a []string 0+'
field 'broker without a meaning' "3: int32 'leader_id' must be @broker" \
	'leader_id int32 0+'
field 'brokers without a meaning' "3: int32 'isr_nodes' must be @broker" \
	'isr_nodes []int32 0+'
field 'unknown meaning' "3: '@topik' is not in meanings.def" \
	'a string 0+ @topik'
field 'string that is a broker' "3: string 'a' must state" \
	'a string 0+ @broker'
field 'number that is a topic' "3: int32 'a' cannot be @topic" \
	'a int32 0+ @topic'
field 'argument that is no field' "3: 'a' has no sibling 'kind'" \
	'a string 0+ @resource(kind)' 'sort int8 0+'
field 'argument of the wrong type' "3: @resource(kind): 'kind' is a int16" \
	'a string 0+ @resource(kind)' 'kind int16 0+'
field 'argument where none goes' '3: @topic takes no argument' \
	'a string 0+ @topic(kind)'
field 'argument without its end' "3: '@resource(kind' lacks" \
	'a string 0+ @resource(kind'
field 'unknown type' "3: 'int24' is no type" 'a int24 0+'
field 'bad name' "3: 'A' is not a name" 'A int32 0+'
field 'same field twice' "4: second field 'a'" 'a int32 0+' 'a int32 0+'
field 'versions that the API lacks' '3: versions 5+ are not inside 0-4' \
	'a int32 5+'
field 'versions backwards' '3:' 'a int32 3-2'
field 'versions missing' '3: a field is: NAME TYPE VERSIONS' 'a int32'
field 'null number' "3: 'a' cannot be null" 'a int32 0+ nullable 0+'
field 'null that ends early' "3: 'a' cannot be null in 1-2" \
	'a string 0+ nullable 1-2 @plain'
field 'tag before flexible versions' '3: tag before version 2' \
	'a int32 1+ tag 0'
field 'tag too large' "3: '64' is not a number from 0 to 63" \
	'a int32 2+ tag 64'
field 'tags that fall' '4: tags must rise' 'a int32 2+ tag 1' \
	'b int32 2+ tag 1'
field 'default out of range' "3: '128' is not a number" \
	'a int8 0+ default 128'
field 'default of the wrong kind' "3: 'x' cannot be the default" \
	'a string 0+ default x @plain'
field 'default null, never nullable' '3: default null, but never' \
	'a string 0+ default null @plain'
field 'nullable struct without default' '3: a nullable struct needs' \
	'a struct 0+ nullable 0+' '    b int32 0+'
field 'unknown attribute' "3: unknown attribute 'colour'" \
	'a int32 0+ colour red'
field 'attribute without a value' "3: 'tag' is unknown here or lacks" \
	'a int32 2+ tag'
field 'indented under nothing' '4: indented, but the line before' \
	'a int32 0+' '    b int32 0+'
field 'struct without fields' '4: a struct without fields' \
	'a struct 0+' 'b int32 0+'
field 'struct without fields at the end' "3: 'a' is a struct without" \
	'a struct 0+'
field 'child outside its parent' '4: versions 0+ are not inside 2-4' \
	'a struct 2+' '    b int32 0+'
field 'common struct after fields' '4: expected: struct NAME' \
	'a int32 0+' 'struct s' '    b int32 0+'

refuse 'field outside a message' '1: a field outside' <<'.'
    a int32 0+
.
refuse 'unknown paragraph' '1: expected api, message' <<'.'
apo x 1 versions 0 flexible none
.
refuse 'head without versions' '1: expected: api NAME KEY' <<'.'
api x 1 flexible none
.
refuse 'request outside an api' "1: 'request' outside an api" <<'.'
request
.
refuse 'same key twice' "2: 'y' is there already" <<'.'
api x 1  versions 0  flexible none
api y 1  versions 0  flexible none
.
refuse 'same name twice' "2: 'x' is there already" <<'.'
api x 1  versions 0  flexible none
api x 2  versions 0  flexible none
.
refuse 'api without a response' '3: x lacks its' <<'.'
api x 1  versions 0  flexible none
request
    a int32 0+
.
printf 'api x 1  versions 0  flexible none\nrequest\n\ta int32 0+\n' \
	> "$dir/x.schema"
check 'tab' '3: a line is under 500 characters'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
