//! `doctor`: looks at everything a node needs, and says what is wrong and how to mend it.

use peerage_node::config::environment::ProcessEnvironment;
use peerage_protocol::time::Timestamp;
use serde_json::json;

use super::{Context, now};
use crate::doctor::checks::examine;
use crate::doctor::finding::{Examined, Severity};
use crate::doctor::gather::gather;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

pub(super) async fn doctor(context: &Context) -> Result<(), Failure> {
    let evidence = gather(&context.home, Timestamp(now()), &ProcessEnvironment).await;
    let examined = examine(&evidence);
    let wrong = count(&examined);
    match context.json {
        true => print(&render::json(
            &json!({"healthy": wrong == 0, "examined": examined}),
        )?)?,
        false => print(&render::examined(&examined, context.view))?,
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::failed(
            "unhealthy",
            "one thing is wrong; the line after it says how to mend it",
        )),
        _ => Err(Failure::failed(
            "unhealthy",
            format!("{wrong} things are wrong; the line after each says how to mend it"),
        )),
    }
}

fn count(examined: &[Examined]) -> usize {
    let findings = examined.iter().flat_map(|one| &one.findings);
    findings
        .filter(|finding| finding.severity == Severity::Wrong)
        .count()
}
