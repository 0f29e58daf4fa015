//! Tasks: what was done about one, one in full, and all of them as a table.

use peerage_node::tasks::{ShownTask, TaskState};
use peerage_protocol::messaging::message::Priority;

use super::one_line;
use super::table::{cell, table};
use super::time::from_now;
use crate::terminal::View;

/// What came of a command, in a sentence.
pub fn task_done(tool: &str, task: &ShownTask) -> String {
    let title = one_line(&task.title);
    match (tool, &task.fence) {
        ("task_create", _) => {
            let decided = joined(&task.arbiters).map(|names| one_line(&names));
            let decided = decided.map(|names| format!("Decided by {names}\n"));
            let decided = decided.unwrap_or_default();
            format!("Created: {title}\n{}\n{decided}", task.id)
        }
        ("task_claim", Some(fence)) => format!(
            "Yours for {} s without a sign: {title}\nFence {fence}\n",
            task.lease_seconds
        ),
        ("task_update", _) => format!("Told, and the lease begins anew: {title}\n"),
        ("task_release", _) => format!("Given back: {title}\n"),
        ("task_complete", _) => format!("Completed: {title}\n"),
        ("task_reassign", _) => format!(
            "{} decides from here on: {title}\n",
            one_line(&task.arbiter)
        ),
        ("task_cancel", _) => format!("Cancelled: {title}\n"),
        _ => format!("{}: {title}\n", state(task)),
    }
}

/// All that is known of a task; `now` in milliseconds since the Unix epoch.
pub fn task(task: &ShownTask, now: u64) -> String {
    let mut lines = vec![
        ("task", task.id.clone()),
        ("title", one_line(&task.title)),
        ("state", state(task)),
        ("by", one_line(&task.by)),
        ("created", from_now(now, task.created)),
        ("priority", priority(task.priority).to_owned()),
        (
            "arbiter",
            one_line(&joined(&task.arbiters).unwrap_or_else(|| task.arbiter.clone())),
        ),
        ("lease", format!("{} s", task.lease_seconds)),
    ];
    let texts = [
        ("holder", task.holder.clone()),
        ("fence", task.fence.clone()),
        (
            "lease left",
            task.lease_left_seconds.map(|left| format!("{left} s")),
        ),
        ("due", task.deadline.map(|due| from_now(now, due))),
        ("done", task.percent.map(|percent| format!("{percent} %"))),
        ("note", task.note.clone()),
        ("needs", joined(&task.capabilities)),
        ("after", joined(&task.after)),
        ("waits for", joined(&task.waits_for)),
        ("stuck", joined(&task.stuck)),
    ];
    let told = texts.into_iter();
    lines.extend(told.filter_map(|(name, text)| Some((name, one_line(&text?)))));
    let mut text: String = lines
        .iter()
        .map(|(name, text)| format!("{name:<11}{text}\n"))
        .collect();
    for (title, long) in [("description", &task.description), ("result", &task.result)] {
        if let Some(long) = long {
            let visible = long.lines().map(|line| format!("  {}\n", one_line(line)));
            text.push_str(&format!("{title}\n{}", visible.collect::<String>()));
        }
    }
    text
}

/// Tasks as a table.
pub fn tasks(tasks: &[ShownTask], now: u64, view: View) -> String {
    if tasks.is_empty() {
        return "No task fits.\n".to_owned();
    }
    let rows = tasks.iter().map(|task| {
        let title = match task.priority {
            Priority::High => format!("! {}", task.title),
            Priority::Normal | Priority::Low => task.title.clone(),
        };
        let percent = task.percent.map(|percent| format!("{percent} %"));
        vec![
            cell(&task.id),
            cell(&state(task)),
            cell(task.holder.as_deref().unwrap_or("-")),
            cell(percent.as_deref().unwrap_or("-")),
            cell(&from_now(now, task.created)),
            cell(&title),
        ]
    });
    let header = ["ID", "STATE", "HOLDER", "DONE", "CREATED", "TITLE"];
    table(view, &header, rows.collect())
}

fn state(task: &ShownTask) -> String {
    match (task.state, task.lease_left_seconds) {
        (TaskState::Open, _) => "open",
        (TaskState::Blocked, _) => "blocked",
        (TaskState::Held, Some(0)) => "lease over",
        (TaskState::Held, _) => "held",
        (TaskState::Completed, _) => "completed",
        (TaskState::Cancelled, _) => "cancelled",
    }
    .to_owned()
}

const fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
    }
}

fn joined(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> ShownTask {
        ShownTask {
            id: "0f".repeat(16),
            title: "Port the parser\u{1b}[2J".to_owned(),
            description: Some("Keep the tests green.\nAsk reader.".to_owned()),
            state: TaskState::Held,
            by: "planner@desk".to_owned(),
            priority: Priority::High,
            arbiter: "desk".to_owned(),
            arbiters: Vec::new(),
            created: 0,
            deadline: Some(7_260_000),
            capabilities: vec!["rust".to_owned()],
            after: Vec::new(),
            waits_for: Vec::new(),
            stuck: vec!["5f was cancelled".to_owned()],
            lease_seconds: 900,
            holder: Some("coder@laptop".to_owned()),
            fence: Some("0-3-09".to_owned()),
            lease_left_seconds: Some(60),
            percent: Some(40),
            note: Some("Lexer done.".to_owned()),
            result: None,
        }
    }

    #[test]
    fn tasks_are_a_table_without_control_characters() {
        let text = tasks(&[example()], 7_200_000, View::default());
        assert!(text.contains("held   coder@laptop  40 %"), "{text}");
        assert!(text.contains("! Port the parser [2J"), "{text}");
        assert_eq!(tasks(&[], 0, View::default()), "No task fits.\n");
    }

    #[test]
    fn a_task_in_full_says_all_that_is_known_and_nothing_else() {
        let text = task(&example(), 7_200_000);
        for line in [
            "title      Port the parser [2J",
            "holder     coder@laptop",
            "lease left 60 s",
            "due        in 1 minute",
            "done       40 %",
            "needs      rust",
            "stuck      5f was cancelled",
            "  Ask reader.",
        ] {
            assert!(text.lines().any(|one| one == line), "{line:?} in\n{text}");
        }
        assert!(
            !text.contains("waits for") && !text.contains("result"),
            "{text}"
        );
    }

    #[test]
    fn a_lease_that_ran_out_is_not_called_held() {
        let over = ShownTask {
            lease_left_seconds: Some(0),
            ..example()
        };
        let text = tasks(&[over], 7_200_000, View::default());
        assert!(text.contains("lease over"), "{text}");
    }

    #[test]
    fn a_task_that_several_decide_on_names_them() {
        let shared = ShownTask {
            arbiters: vec!["desk".to_owned(), "laptop".to_owned(), "tower".to_owned()],
            ..example()
        };
        let created = task_done("task_create", &shared);
        assert!(
            created.ends_with("\nDecided by desk, laptop, tower\n"),
            "{created}"
        );
        let shown = task(&shared, 7_200_000);
        assert!(
            shown.contains("\narbiter    desk, laptop, tower\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_claim_names_the_fence_to_complete_with() {
        let text = task_done("task_claim", &example());
        assert_eq!(
            text,
            "Yours for 900 s without a sign: Port the parser [2J\nFence 0-3-09\n"
        );
    }
}
