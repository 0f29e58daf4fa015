#!/bin/bash
# Who may read and write what, by the rules; run as: ./run.sh ./rules.sh
U=${FIREBASE_URL:?}; O=$(mktemp); C="curl -s -m 5 --cacert $SSL_CERT_FILE"; fail=0
t() { want=$1 name=$2; shift 2; got=$($C -o $O -w '%{http_code}' -g "$@"); [ "$got" = "$want" ] && r=ok || { r=FAIL; fail=1; }; printf '%-4s %s want %s  %-46s %.90s\n' $r $got $want "$name" "$(cat $O)"; }
N='{"endpoint":"https://10.0.0.1:9000/mcp","status":"online","last_heartbeat":{".sv":"timestamp"},"multiaddrs":["/ip4/10.0.0.1/udp/4001/quic-v1"],"capabilities":{"tools":true}}'
A=mcp_servers/node-a
t 401 'no token: read'                   $U/mcp_servers.json
t 401 'unknown token'                    "$U/mcp_servers.json?auth=bogus"
t 401 'role missing: read'               "$U/mcp_servers.json?auth=tok-norole"
t 200 'mesh: read'                       "$U/mcp_servers.json?auth=tok-a"
t 401 'mesh: read root'                  "$U/.json?auth=tok-a"
t 200 'owner: put self'      -X PUT -d "$N" "$U/$A.json?auth=tok-a"
t 401 'other: put node-a'    -X PUT -d "$N" "$U/$A.json?auth=tok-b"
t 401 'other: delete node-a' -X DELETE      "$U/$A.json?auth=tok-b"
t 401 'no token: put'        -X PUT -d "$N" "$U/$A.json"
t 401 'wipe the collection'  -X DELETE      "$U/mcp_servers.json?auth=tok-a"
t 401 'put the collection'   -X PUT -d '{}' "$U/mcp_servers.json?auth=tok-a"
t 401 'POST (push id)'       -X POST -d "$N" "$U/mcp_servers.json?auth=tok-a"
t 200 'heartbeat patch'      -X PATCH -d '{"last_heartbeat":{".sv":"timestamp"}}' "$U/$A.json?auth=tok-a"
t 200 'status patch'         -X PATCH -d '{"status":"draining","last_heartbeat":{".sv":"timestamp"}}' "$U/$A.json?auth=tok-a"
t 401 'client clock heartbeat' -X PATCH -d '{"last_heartbeat":4102444800000}' "$U/$A.json?auth=tok-a"
t 401 'bad status'           -X PATCH -d '{"status":"pwned"}' "$U/$A.json?auth=tok-a"
t 401 'unknown field'        -X PATCH -d '{"api_key":"sk-1"}' "$U/$A.json?auth=tok-a"
t 401 'endpoint with userinfo' -X PATCH -d '{"endpoint":"https://u:p@h/"}' "$U/$A.json?auth=tok-a"
t 401 'endpoint with query token' -X PATCH -d '{"endpoint":"https://h/x?token=1"}' "$U/$A.json?auth=tok-a"
t 401 'endpoint http'        -X PATCH -d '{"endpoint":"http://h/"}' "$U/$A.json?auth=tok-a"
t 401 'multiaddr not a path'  -X PATCH -d '{"multiaddrs":["evil"]}' "$U/$A.json?auth=tok-a"
t 401 'eleven multiaddrs'    -X PATCH -d '{"multiaddrs":{"10":"/ip4/1.2.3.4"}}' "$U/$A.json?auth=tok-a"
t 401 'capability not a bool' -X PATCH -d '{"capabilities":{"tools":"sk-secret"}}' "$U/$A.json?auth=tok-a"
t 401 'missing required'     -X PUT -d '{"status":"online"}' "$U/$A.json?auth=tok-a"
t 401 'other top-level path' -X PUT -d '1' "$U/secrets.json?auth=tok-a"
t 200 'indexed query'        "$U/mcp_servers.json?auth=tok-b&orderBy=%22status%22&equalTo=%22draining%22"
t 400 'unindexed query'      "$U/mcp_servers.json?auth=tok-b&orderBy=%22endpoint%22"
G='{"node":"node-a","status":"idle","last_heartbeat":{".sv":"timestamp"}}'
t 200 'agent: create'        -X PUT -d "$G" "$U/agents/ag-1.json?auth=tok-a"
t 401 'agent: stolen by b'   -X PUT -d "${G/node-a/node-b}" "$U/agents/ag-1.json?auth=tok-b"
t 401 'agent: b creates for a' -X PUT -d "$G" "$U/agents/ag-2.json?auth=tok-b"
t 401 'agent: b deletes'     -X DELETE "$U/agents/ag-1.json?auth=tok-b"
t 401 'agent: read, no token' $U/agents.json
t 401 'agent: missing required' -X PUT -d '{"node":"node-a"}' "$U/agents/ag-9.json?auth=tok-a"
t 401 'agent: client clock'  -X PATCH -d '{"last_heartbeat":1}' "$U/agents/ag-1.json?auth=tok-a"
t 401 'agent: bad status'    -X PATCH -d '{"status":"pwned"}' "$U/agents/ag-1.json?auth=tok-a"
t 401 'agent: unknown field' -X PATCH -d '{"prompt":"x"}' "$U/agents/ag-1.json?auth=tok-a"
t 401 'agent: capability not a bool' -X PATCH -d '{"capabilities":{"t":"x"}}' "$U/agents/ag-1.json?auth=tok-a"
t 401 'agent: node not a string owner' -X PATCH -d '{"node":"node-b"}' "$U/agents/ag-1.json?auth=tok-a"
t 200 'agent: a patches'     -X PATCH -d '{"status":"busy","last_heartbeat":{".sv":"timestamp"}}' "$U/agents/ag-1.json?auth=tok-a"
t 200 'agent: a deletes'     -X DELETE "$U/agents/ag-1.json?auth=tok-a"
t 200 'owner: delete self'   -X DELETE "$U/$A.json?auth=tok-a"
t 200 'admin bypasses rules' -X PUT -d '1' "$U/secrets.json?auth=adm"
rm -f "$O"; exit $fail
