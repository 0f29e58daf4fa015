//! The demonstration as people read it: a time, what one would type, and what came of it.

use super::layout::{Style, styled, wrapped};
use super::one_line;
use crate::demo::timeline::{Happened, Moment};
use crate::terminal::View;

/// Columns before the text: the time, and the machine's prompt.
const INDENT: usize = 19;

/// What stands above the timeline.
pub fn demo_opening() -> String {
    "Three machines and one mesh, played on this computer with real nodes. It takes a few seconds\n\
     and leaves nothing behind.\n\n"
        .to_owned()
}

/// One line, or as many as the width asks for.
pub fn demo_moment(moment: &Moment, view: View) -> String {
    let at = format!("{:>6.2} s", moment.at_ms / 1_000.0);
    match &moment.happened {
        Happened::Command { machine, command } => {
            let prompt = format!("{machine:>7}$ ");
            let text = wrapped(command, INDENT, view);
            format!(
                "{at}  {}{}\n",
                styled(&prompt, Style::Dim, view),
                styled(&text, Style::Bold, view)
            )
        }
        Happened::Seen { text, took_ms, .. } => {
            let text = match took_ms {
                Some(took) => format!("{}  [{}]", one_line(text), span(*took)),
                None => one_line(text),
            };
            format!(
                "{:17}{} {}\n",
                "",
                styled("✓", Style::Green, view),
                wrapped(&text, INDENT, view)
            )
        }
        Happened::Done => format!("{at}  everything is stopped and removed again\n"),
    }
}

/// What to try for real.
pub fn demo_closing(view: View) -> String {
    let command = |text: &str| styled(text, Style::Bold, view);
    format!(
        "\nNow for real:\n\
         \x20 share a server      {}\n\
         \x20 let a machine in    {}\n\
         \x20 and on that one     {}, for any client you have\n",
        command("peerage serve NAME --share -- CMD ARGS..."),
        command("peerage invite"),
        command("peerage join TICKET --connect claude"),
    )
}

fn span(milliseconds: f64) -> String {
    match milliseconds {
        long if long >= 1_000.0 => format!("{:.2} s", long / 1_000.0),
        short if short >= 10.0 => format!("{short:.0} ms"),
        shorter => format!("{shorter:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments() -> [Moment; 4] {
        let at = |at_ms, happened| Moment { at_ms, happened };
        [
            at(
                0.0,
                Happened::Command {
                    machine: "laptop",
                    command: "peerage call desk__notes__add_note text=\"written at the laptop\""
                        .to_owned(),
                },
            ),
            at(
                1_234.5,
                Happened::Seen {
                    step: "call",
                    text: "desk answers: \u{1b}[2Jnoted".to_owned(),
                    took_ms: Some(1.25),
                },
            ),
            at(
                1_300.0,
                Happened::Seen {
                    step: "refused",
                    text: "a call now says so".to_owned(),
                    took_ms: None,
                },
            ),
            at(9_000.0, Happened::Done),
        ]
    }

    fn shown(view: View) -> String {
        let lines = moments().map(|moment| demo_moment(&moment, view));
        demo_opening() + &lines.concat() + &demo_closing(view)
    }

    #[test]
    fn the_timeline_says_when_where_what_and_how_long() {
        insta::assert_snapshot!(shown(View::default()));
    }

    #[test]
    fn a_narrow_screen_gets_more_lines_and_no_wider_ones() {
        let view = View {
            width: Some(50),
            ..View::default()
        };
        let lines = moments().map(|moment| demo_moment(&moment, view)).concat();
        assert!(
            lines.lines().all(|line| line.chars().count() <= 50),
            "{lines}"
        );
    }

    #[test]
    fn colours_appear_only_when_wanted() {
        let colour = View {
            colour: true,
            ..View::default()
        };
        assert!(shown(colour).contains("\u{1b}[1m"));
        assert!(!shown(View::default()).contains('\u{1b}'));
    }
}
