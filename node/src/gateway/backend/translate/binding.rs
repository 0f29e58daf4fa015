//! What a parked call is bound to: its caller, its server and what it asks, whatever the spelling.

use peerage_protocol::id::ServerName;
use serde_json::Value;

use crate::gateway::call::Call;

/// Members of `params` that change from one round to the next.
const ROUND_MEMBERS: [&str; 3] = ["_meta", "inputResponses", "requestState"];

/// A hash over the caller, the server and the request.
pub(super) fn of_call(call: &Call, server: &ServerName) -> [u8; 32] {
    let raw = call.params.to_bytes();
    let mut params: Value = serde_json::from_slice(&raw).unwrap_or_default();
    if let Some(members) = params.as_object_mut() {
        for member in ROUND_MEMBERS {
            members.remove(member);
        }
    }
    params.sort_all_objects();
    let caller = format!("{:?}", call.caller);
    let params = params.to_string();
    let mut hasher = blake3::Hasher::new();
    for part in [&caller, server.as_str(), &*call.method, &params] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::gateway::backend::test_upstream::call_of;
    use crate::gateway::call::Caller;

    fn binding(params: Value, caller: Caller) -> [u8; 32] {
        let mut call = call_of("{}", params).0;
        call.caller = caller;
        of_call(&call, &"files".parse().unwrap())
    }

    #[test]
    fn a_retry_is_the_same_request_and_other_arguments_or_callers_are_not() {
        let first = json!({"name": "t", "arguments": {"a": 1, "b": 2}});
        let retry = json!({"requestState": "s", "inputResponses": {}, "arguments": {"b": 2, "a": 1}, "name": "t"});
        let bound = binding(first.clone(), Caller::Guest);
        assert_eq!(binding(retry, Caller::Guest), bound);
        let other = json!({"name": "t", "arguments": {"a": 1, "b": 3}});
        assert_ne!(binding(other, Caller::Guest), bound);
        let ada = Caller::Agent("ada".parse().unwrap());
        assert_ne!(binding(first, ada), bound);
    }
}
