//! The tickets of a node.

use peerage_node::gateway::frontend::rest::api::{TicketStatus, TicketWithdrawn};

use super::table::{cell, table};
use super::time::from_now;
use crate::terminal::View;

/// Digits of an id that are shown; more than enough to tell tickets apart.
const ID_SHOWN: usize = 8;

/// The tickets that may admit somebody yet; `now` in milliseconds since the Unix epoch.
pub fn tickets(tickets: &[TicketStatus], now: u64, view: View) -> String {
    if tickets.is_empty() {
        return "No ticket is open. Make one: peerage invite\n".to_owned();
    }
    let rows = tickets.iter().map(|ticket| {
        let used = format!("{} of {}", ticket.used_by.len(), ticket.uses);
        vec![
            cell(&short(&ticket.id)),
            cell(&ticket.role),
            cell(&used),
            cell(&ticket.used_by.join(", ")),
            cell(&from_now(now, ticket.expires)),
        ]
    });
    let header = ["ID", "ROLE", "USED", "BY", "ENDS"];
    let table = table(view, &header, rows.collect());
    format!("{table}\nTake one back: peerage tickets revoke ID\n")
}

/// What `peerage tickets revoke` says.
pub fn ticket_withdrawn(withdrawn: &TicketWithdrawn) -> String {
    format!(
        "Nobody joins with the ticket {} any more. Whoever did is still a member: peerage nodes\n",
        short(&withdrawn.id)
    )
}

fn short(id: &str) -> String {
    id.chars().take(ID_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_tickets_say_whom_they_let_in_and_how_to_take_them_back() {
        let open = TicketStatus {
            id: "0123456789abcdef".to_owned(),
            expires: 900_000,
            uses: 2,
            used_by: vec!["laptop".to_owned()],
            role: "member".to_owned(),
        };
        insta::assert_snapshot!(tickets(&[open], 0, View::default()));
        assert!(tickets(&[], 0, View::default()).contains("peerage invite"));
    }
}
