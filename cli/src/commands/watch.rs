//! `--watch`: shows a page again whenever it has changed, in place on a terminal and one below the other elsewhere.

use std::future::Future;
use std::time::Duration;

use rustix::termios::tcgetwinsize;
use tokio::time::sleep;

use super::Context;
use super::signals::Signals;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Hides the cursor and clears the screen.
const BEGIN: &str = "\u{1b}[?25l\u{1b}[2J";
/// Shows the cursor again.
const END: &str = "\u{1b}[?25h";

/// Prints the page that `page` makes; with `watch`, until Ctrl-C. A node that is away meanwhile is waited for.
pub(super) async fn show<P>(
    context: &Context,
    watch: bool,
    page: impl Fn() -> P,
) -> Result<(), Failure>
where
    P: Future<Output = Result<String, Failure>>,
{
    // A wrong home or a node that was never there is told at once.
    let first = page().await?;
    if !watch {
        return print(&first);
    }
    let mut signals = Signals::listen()?;
    let in_place = context.view.screen && !context.json;
    if in_place {
        print(BEGIN)?;
    }
    let watched = tokio::select! {
        watched = repeat(context, in_place, first, page) => watched,
        () = signals.any() => Ok(()),
    };
    if in_place {
        print(END)?;
    }
    watched
}

async fn repeat<P>(
    context: &Context,
    in_place: bool,
    first: String,
    page: impl Fn() -> P,
) -> Result<(), Failure>
where
    P: Future<Output = Result<String, Failure>>,
{
    let mut shown = first;
    print(&frame(&shown, in_place))?;
    loop {
        sleep(INTERVAL).await;
        let next = match page().await {
            Ok(page) => page,
            Err(failure) if context.json => render::json(&failure.refused)?,
            Err(failure) => render::failure(&failure, context.view),
        };
        // Elsewhere than in place only what is new is worth reading.
        if in_place || next != shown {
            print(&frame(&next, in_place))?;
            shown = next;
        }
    }
}

fn frame(page: &str, in_place: bool) -> String {
    match in_place {
        true => render::in_place(page, rows()),
        false => page.to_owned(),
    }
}

/// Rows of the terminal, when there is one.
fn rows() -> Option<usize> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_row > 0).then(|| usize::from(size.ws_row))
}
