# To be sourced: what pip needs inside of docker/run, which hands on neither proxies nor the certificate
# authority of the host. reach DIRECTORY puts the authority there and leaves the variables in settings.
reach() {
  mkdir -p "$1"
  settings=()
  local variable authority=${PIP_CERT:-${REQUESTS_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}}
  if [ -s "$authority" ] && [ ! "$authority" -ef "$1/authority.crt" ]; then
    cp -L "$authority" "$1/authority.crt"
    settings+=("PIP_CERT=$1/authority.crt")
  fi
  for variable in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!variable:-}" ] || settings+=("$variable=${!variable}")
  done
}
