# Shell functions that make short-lived certificates with openssl, for demos and tests on this machine only.
# shellcheck shell=bash disable=SC2015
# Sourced by bash scripts, never run. Expects scripts/lib/common.sh.

# make_authority FOLDER: writes ca.crt and ca.key there, valid for a day.
make_authority() {
  quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=demo authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$1/ca.key" -out "$1/ca.crt" || fail "cannot make an authority"
}

# make_certificate FOLDER NAME SAN: writes NAME.crt and NAME.key there, signed by the authority in it. SAN is as openssl
# spells it, such as URI:spiffe://shop.example/ns/shop/sa/order.
make_certificate() {
  local folder=$1 name=$2 san=$3
  printf '%s\n' "subjectAltName=$san" "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
    "extendedKeyUsage=serverAuth,clientAuth" >"$folder/$name.ext"
  quietly openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
    -keyout "$folder/$name.key" -out "$folder/$name.csr" &&
    quietly openssl x509 -req -days 1 -in "$folder/$name.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" \
      -CAcreateserial -extfile "$folder/$name.ext" -out "$folder/$name.crt" || fail "cannot make a certificate for $name"
  rm "$folder/$name.ext" "$folder/$name.csr"
}
