//! Arbitrary JSON for property tests.

use proptest::prelude::*;
use serde_json::Value;

/// Any JSON value, a few levels deep.
pub(super) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Any JSON object without the members that the gateway reads.
pub(super) fn json_object() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-zé\"\\\\ ]{0,3}", json(), 0..6).prop_map(|members| {
        Value::Object(
            members
                .into_iter()
                .filter(|(key, _)| key != "uri")
                .collect(),
        )
    })
}
