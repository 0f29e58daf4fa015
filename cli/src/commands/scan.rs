//! `scan`: looks for members on networks without multicast, and shows how far it is.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use peerage_node::gateway::frontend::rest::addresses_api::ScanResponse;
use serde_json::json;

use super::Context;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

/// Time between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn scan(context: &Context) -> Result<(), Failure> {
    let shown = !context.json && stderr().is_terminal();
    let mut scan: ScanResponse = context.client().post("/v1/scan", &json!({})).await?;
    while scan.running {
        tokio::time::sleep(LOOK_EVERY).await;
        scan = context.client().get("/v1/scan").await?;
        if shown {
            // A terminal that is gone is no reason to stop looking.
            let _ = write!(stderr(), "\r{}", render::scanning(&scan));
        }
    }
    if shown {
        let _ = writeln!(stderr());
    }
    if let Some(why) = &scan.failed {
        return Err(Failure::failed("scan", why));
    }
    match context.json {
        true => print(&render::json(&scan)?),
        false => print(&render::scanned(&scan)),
    }
}
