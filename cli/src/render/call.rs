//! The result of a tool: its text plainly, everything else as JSON.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::terminal::View;

#[derive(Deserialize)]
struct ToolResult<'a> {
    #[serde(borrow, default)]
    content: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "structuredContent")]
    structured: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

/// The content of a `CallToolResult`, one block after the other; the structured content where there is no other. What
/// is no such result is shown as it is.
pub fn call(result: &RawValue, view: View) -> String {
    let Ok(parsed) = serde_json::from_str::<ToolResult<'_>>(result.get()) else {
        return line(result.get());
    };
    match (parsed.content.as_slice(), parsed.structured) {
        ([], Some(structured)) => line(structured.get()),
        (blocks, _) => blocks
            .iter()
            .map(|block| line(&content(block, view)))
            .collect(),
    }
}

fn content(block: &RawValue, view: View) -> String {
    match serde_json::from_str(block.get()) {
        Ok(Block {
            kind,
            text: Some(text),
        }) if kind == "text" && view.screen => harmless(&text),
        Ok(Block {
            kind,
            text: Some(text),
        }) if kind == "text" => text,
        _ => block.get().to_owned(),
    }
}

/// On a screen, control characters from another machine could do more than be seen.
fn harmless(text: &str) -> String {
    let keep = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(keep).collect()
}

fn line(text: &str) -> String {
    match text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shown(result: &str, view: View) -> String {
        call(serde_json::from_str(result).unwrap(), view)
    }

    #[test]
    fn text_is_plain_and_other_content_is_json() {
        let result =
            r#"{"content": [{"type": "text", "text": "a\nb"}, {"type":"image","data":"AA=="}]}"#;
        assert_eq!(
            shown(result, View::default()),
            "a\nb\n{\"type\":\"image\",\"data\":\"AA==\"}\n"
        );
    }

    #[test]
    fn structured_content_stands_in_where_there_is_no_other() {
        let result = r#"{"content": [], "structuredContent": {"n": 1}}"#;
        assert_eq!(shown(result, View::default()), "{\"n\": 1}\n");
    }

    #[test]
    fn what_is_no_tool_result_is_shown_as_it_is() {
        assert_eq!(shown("[1]", View::default()), "[1]\n");
    }

    #[test]
    fn control_characters_reach_a_file_but_no_screen() {
        let result = r#"{"content": [{"type": "text", "text": "\u001b[2Jx"}]}"#;
        let screen = View {
            screen: true,
            ..View::default()
        };
        assert_eq!(shown(result, screen), "[2Jx\n");
        assert_eq!(shown(result, View::default()), "\u{1b}[2Jx\n");
    }
}
