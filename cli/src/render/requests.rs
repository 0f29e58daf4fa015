//! Joining without a ticket: who waits, whose words to compare, who was let in.

use peerage_node::gateway::frontend::rest::requests_api::{
    ApproveResponse, AskResponse, RequestsResponse,
};

use super::one_line;
use super::table::{cell, table};
use super::time::from_now;
use crate::terminal::View;

/// Who waits to be let in; `now` in milliseconds since the Unix epoch.
pub fn requests(requests: &RequestsResponse, now: u64, view: View) -> String {
    let Some(until) = requests.open_until else {
        return "Nobody is heard who asks to be let in. Let them ask: peerage requests --open 10m\n"
            .to_owned();
    };
    let ends = from_now(now, until);
    let mut text = match requests.requests.is_empty() {
        true => "Nobody has asked yet.\n".to_owned(),
        false => waiting(requests, now, view),
    };
    let address = requests.ask_at.first();
    let address = address.map_or_else(|| "ADDRESS".to_owned(), |address| one_line(address));
    text.push_str(&format!(
        "\nRequests are heard for now; that ends {ends}. On the other machine: peerage join --ask {address}\n"
    ));
    text
}

fn waiting(requests: &RequestsResponse, now: u64, view: View) -> String {
    let rows = requests.requests.iter().map(|request| {
        let place = match request.place.as_str() {
            "" => "-",
            place => place,
        };
        vec![
            cell(&request.words),
            cell(&request.name),
            cell(place),
            cell(&from_now(now, request.asked)),
        ]
    });
    let table = table(view, &["WORDS", "NAME", "FROM", "ASKED"], rows.collect());
    format!(
        "{table}\nLet one in whose machine shows the same words: peerage approve WORDS\n\
         Where no machine shows them, it is somebody else who asks.\n"
    )
}

/// What `peerage join --ask` says once its request is heard.
pub fn heard(heard: &AskResponse) -> String {
    format!(
        "{} hears the request. On that machine, run: peerage approve {}\n",
        one_line(&heard.node),
        one_line(&heard.words)
    )
}

/// What `peerage approve` says.
pub fn approved(approved: &ApproveResponse) -> String {
    format!(
        "{} is let in ({}). It comes in as soon as its owner has said that the words are the same.\n",
        one_line(&approved.name),
        one_line(&approved.role)
    )
}

#[cfg(test)]
mod tests {
    use peerage_node::gateway::frontend::rest::requests_api::RequestStatus;

    use super::*;

    #[test]
    fn who_waits_is_shown_with_its_words_and_what_to_do() {
        let open = RequestsResponse {
            open_until: Some(600_000),
            ask_at: vec!["/ip4/192.168.1.7/tcp/4001/p2p/12D3KooW".to_owned()],
            requests: vec![RequestStatus {
                node: "12D3KooX".to_owned(),
                name: "laptop".to_owned(),
                words: "canal-orbit-velvet-mango".to_owned(),
                place: "192.168.1.9".to_owned(),
                asked: 0,
            }],
        };
        let waits = requests(&open, 5_000, View::default());
        let nobody = requests(
            &RequestsResponse {
                requests: Vec::new(),
                ..open
            },
            5_000,
            View::default(),
        );
        insta::assert_snapshot!([waits, nobody].concat());
        let closed = requests(&RequestsResponse::default(), 0, View::default());
        assert!(closed.contains("--open"), "{closed}");
    }
}
