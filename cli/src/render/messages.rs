//! Messages: sent, waiting, found, acknowledged.

use peerage_node::messaging::ShownMessage;
use peerage_protocol::id::AgentName;
use peerage_protocol::messaging::message::Priority;

use super::table::{cell, table};
use super::time::from_now;
use super::{counted, one_line};
use crate::terminal::View;

/// What was sent, and how it is called.
pub fn sent(message: &ShownMessage) -> String {
    let to = match (&message.to, &message.topic) {
        (Some(to), _) => to.clone(),
        (None, Some(topic)) => format!("the topic {topic}"),
        (None, None) => "all agents".to_owned(),
    };
    format!("Sent to {}: {}\n", one_line(&to), message.id)
}

/// What waits for `agent`; `now` in milliseconds since the Unix epoch.
pub fn inbox(messages: &[ShownMessage], agent: &AgentName, now: u64, view: View) -> String {
    match messages {
        [] => format!("Nothing waits for {agent}.\n"),
        _ => {
            let mut text = list(messages, now, view);
            let done = "\nTake one out: peerage ack ID\n";
            text.push_str(done);
            text
        }
    }
}

/// What a search found.
pub fn messages(messages: &[ShownMessage], now: u64, view: View) -> String {
    match messages {
        [] => "No message fits.\n".to_owned(),
        _ => list(messages, now, view),
    }
}

/// How many were acknowledged.
pub fn acknowledged(count: usize) -> String {
    format!("Acknowledged {}.\n", counted(count, "message"))
}

fn list(messages: &[ShownMessage], now: u64, view: View) -> String {
    let rows = messages.iter().map(|message| {
        let to = message.to.as_deref().or(message.topic.as_deref());
        let text = match message.priority {
            Priority::High => format!("! {}", message.text),
            Priority::Normal | Priority::Low => message.text.clone(),
        };
        vec![
            cell(&message.id),
            cell(&message.from),
            cell(to.unwrap_or("all")),
            cell(&from_now(now, message.sent)),
            cell(&text),
        ]
    });
    table(view, &["ID", "FROM", "TO", "SENT", "TEXT"], rows.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn message() -> ShownMessage {
        ShownMessage {
            id: "0f".repeat(16),
            from: "coder@desk".to_owned(),
            to: Some("reader@laptop".to_owned()),
            topic: None,
            text: "ready?\u{1b}[2J".to_owned(),
            priority: Priority::High,
            reply_to: None,
            sent: 0,
            expires: 1,
        }
    }

    #[test]
    fn messages_are_a_table_without_control_characters() {
        let reader = "reader".parse().unwrap();
        let told = inbox(&[message()], &reader, 7_200_000, View::default());
        assert!(told.contains("coder@desk  reader@laptop"), "{told}");
        assert!(
            told.contains("! ready? [2J") && !told.contains('\u{1b}'),
            "{told}"
        );
        assert_eq!(
            inbox(&[], &reader, 0, View::default()),
            "Nothing waits for reader.\n"
        );
    }

    #[test]
    fn what_was_sent_says_to_whom_and_how_it_is_called() {
        let id = "0f".repeat(16);
        assert_eq!(sent(&message()), format!("Sent to reader@laptop: {id}\n"));
        let public = ShownMessage {
            to: None,
            topic: Some("builds".to_owned()),
            ..message()
        };
        assert_eq!(sent(&public), format!("Sent to the topic builds: {id}\n"));
    }
}
