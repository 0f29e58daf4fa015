//! Who belongs to the mesh, and who was put out.

use peerage_node::gateway::frontend::rest::members_api::{
    MemberStatus, MembersResponse, RevokeResponse,
};

use super::one_line;
use super::table::{cell, table};
use super::time::from_now;
use crate::terminal::View;

/// The members, then those who were put out; `now` in milliseconds since the Unix epoch.
pub fn members(members: &MembersResponse, now: u64, view: View) -> String {
    let rows = members.members.iter().map(|member| {
        vec![
            cell(&named(member)),
            cell(&member.role),
            cell(member.issuer_name.as_deref().unwrap_or("the root")),
            cell(&from_now(now, member.expires)),
            cell(&member.node),
        ]
    });
    let header = ["NAME", "ROLE", "LET IN BY", "CERTIFICATE ENDS", "NODE"];
    let mut text = table(view, &header, rows.collect());
    if members.revoked.is_empty() {
        return text;
    }
    text.push_str("\nPut out:\n");
    let rows = members.revoked.iter().map(|revoked| {
        let by = revoked.by_name.as_deref().unwrap_or("the root");
        vec![
            cell(&revoked.node),
            cell(by),
            cell(&from_now(now, revoked.at)),
        ]
    });
    text.push_str(&table(view, &["NODE", "BY", "WHEN"], rows.collect()));
    text
}

fn named(member: &MemberStatus) -> String {
    match member.own {
        true => format!("{} (this node)", member.name),
        false => member.name.clone(),
    }
}

/// What `peerage revoke` says.
pub fn revoked(revoked: &RevokeResponse) -> String {
    let name = one_line(revoked.name.as_deref().unwrap_or(&revoked.node));
    let mut text = format!(
        "{name} is out of the mesh. Members that are linked cut it off now, others as soon as they hear of it.\n"
    );
    if !revoked.with_it.is_empty() {
        let names: Vec<String> = revoked.with_it.iter().map(|name| one_line(name)).collect();
        text.push_str(&format!(
            "Out with it, because it let them in: {}. They can leave and join anew with a ticket.\n",
            names.join(", ")
        ));
    }
    if revoked.spared > 0 {
        let spared = super::counted(revoked.spared, "certificate");
        text.push_str(&format!("{spared} that it issued stay good.\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use peerage_node::gateway::frontend::rest::members_api::RevokedStatus;

    use super::*;

    fn member(name: &str, own: bool, issuer: Option<&str>) -> MemberStatus {
        MemberStatus {
            node: "12D3KooW".to_owned(),
            name: name.to_owned(),
            role: "member".to_owned(),
            issuer: issuer.map(str::to_owned),
            issuer_name: issuer.map(str::to_owned),
            expires: 1_209_600_000,
            own,
        }
    }

    #[test]
    fn members_are_a_table_and_so_are_those_who_are_out() {
        let listed = MembersResponse {
            members: vec![
                member("desk", true, None),
                member("laptop", false, Some("desk")),
            ],
            revoked: vec![RevokedStatus {
                node: "12D3KooX".to_owned(),
                by: None,
                by_name: None,
                at: 0,
                spared: 0,
            }],
        };
        insta::assert_snapshot!(members(&listed, 7_200_000, View::default()));
    }

    #[test]
    fn a_revocation_names_who_is_out_with_it() {
        let answer = RevokeResponse {
            node: "12D3KooW".to_owned(),
            name: Some("laptop".to_owned()),
            with_it: vec!["phone".to_owned()],
            spared: 2,
        };
        insta::assert_snapshot!(revoked(&answer));
    }
}
