//! Starting and stopping a node in the background, and its log.

use std::path::Path;

use peerage_node::gateway::frontend::rest::api::StatusResponse;

use super::one_line;
use crate::terminal::View;

/// What `peerage up --background` says; `started` is absent when a node ran already.
pub fn started(started: Option<u32>, status: &StatusResponse, log: &Path) -> String {
    let how = match started {
        Some(pid) => format!("is up (process {pid})"),
        None => "was up already".to_owned(),
    };
    let http = status.http.first().map_or("-", String::as_str);
    format!(
        "{} {how}\n  MCP     {http}\n  log     {}\n\n  Point your agents at {http}\n  \
         See how it fares: peerage status, peerage logs -f\n  Stop it with:     peerage down\n",
        status.name,
        log.display()
    )
}

/// What a command says that started the node because it needs one.
pub fn started_along(pid: u32, status: &StatusResponse) -> String {
    format!(
        "Started the node {} in the background (process {pid}). Stop it with: peerage down; start it at every login with: peerage install\n",
        one_line(&status.name)
    )
}

/// What `peerage down` says.
pub fn stopped(stopped: Option<u32>, home: &Path) -> String {
    match stopped {
        Some(pid) => {
            format!("Stopped the node (process {pid}). Start it again: peerage up --background\n")
        }
        None => format!("No node runs on {}.\n", home.display()),
    }
}

/// A line of a log: others wrote some of it, so nothing in it may command the screen.
pub fn log_line(line: &str, view: View) -> String {
    match view.screen {
        true => one_line(line) + "\n",
        false => format!("{line}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_in_the_background_says_where_it_is_and_how_to_stop_it() {
        let status = crate::render::example_status();
        let log = Path::new("/home/me/peerage.log");
        let said = [Some(4_711), None].map(|pid| started(pid, &status, log));
        insta::assert_snapshot!(said.concat());
    }

    #[test]
    fn stopping_says_what_was_stopped() {
        let said = [Some(4_711), None].map(|pid| stopped(pid, Path::new("/home/me")));
        insta::assert_snapshot!(said.concat());
    }

    #[test]
    fn a_line_of_a_log_cannot_command_the_screen() {
        let screen = View {
            screen: true,
            ..View::default()
        };
        assert_eq!(log_line("a\u{1b}[2Jb", screen), "a [2Jb\n");
        assert_eq!(log_line("a\u{1b}[2Jb", View::default()), "a\u{1b}[2Jb\n");
    }
}
