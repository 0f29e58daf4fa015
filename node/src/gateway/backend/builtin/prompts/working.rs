//! Prompts that teach an agent to plan work as tasks, and to do tasks one after the other.

use bytes::Bytes;
use serde::Deserialize;

use super::{arguments, said};
use crate::gateway::call::CallError;
use crate::gateway::mcp::splice::Params;

/// Cuts a goal into tasks.
const TASKS_PLAN: &str = "tasks_plan";
/// Does tasks.
const TASKS_WORK: &str = "tasks_work";

/// One a prompt.
pub(super) const DEFINITIONS: [&str; 2] = [
    r#"{"name":"tasks_plan","title":"Plan work as tasks","description":"Cuts a goal into tasks that the agents of the mesh can claim.","arguments":[{"name":"goal","description":"What is to come of it.","required":true}]}"#,
    r#"{"name":"tasks_work","title":"Work on tasks","description":"Claims tasks that fit, does them one after the other, and says what came of each.","arguments":[{"name":"about","description":"Words that a task must contain; absent for any.","required":false}]}"#,
];

const WORK: &str = "\
1. Say with agent_register what you can do.
2. task_list with state `open`{about}. Take the first that you can do now; leave what others do better.
3. task_claim it. If that is refused, somebody was faster: take the next. Claim one at a time, and only what you begin at once.
4. Do it. After each step tell with task_update how far you are. Every call you make keeps the task yours; if you are silent for \
longer than its lease_seconds, somebody else may get it.
5. If a call says that you do not have the task any more, stop: what you do from there on collides with its new holder. If you cannot \
complete it, task_release it at once and say why with task_update before.
6. task_complete it with the fence that task_claim gave, and say what came of it and where it is. Then go on with 2, until nothing is open.";

#[derive(Deserialize)]
struct Plan {
    goal: String,
}

#[derive(Deserialize)]
struct Work {
    about: Option<String>,
}

/// The raw result for the prompt `name`; `None` where it is none of these.
pub(super) fn get(name: &str, params: &Params) -> Option<Result<Bytes, CallError>> {
    match name {
        TASKS_PLAN => Some(arguments(params).map(|asked| plan(&asked))),
        TASKS_WORK => Some(arguments(params).map(|asked| work(&asked))),
        _ => None,
    }
}

fn plan(asked: &Plan) -> Bytes {
    let text = format!(
        "Plan this as tasks that the agents of the mesh share: {}\n\n\
         1. Look with task_list what is planned already, and with agent_list who could do it.\n\
         2. Cut the work so that one agent can do each task alone, in less than an hour, and can see for itself when it is done. \
         Two tasks that change the same files are one task, or one comes `after` the other.\n\
         3. task_create each: a title that says what is there afterwards, a description with all that its holder needs (where things \
         are, what not to touch, how to check it), `after` with the ids of what must be completed first, `capabilities` only where \
         not everybody can do it. Create what others wait for first, since `after` names it by its id.\n\
         4. Do not claim all of it yourself.",
        asked.goal
    );
    said("Plan work as tasks", &text)
}

fn work(asked: &Work) -> Bytes {
    let about = asked.about.as_ref();
    let about = about.map_or_else(String::new, |words| format!(" and text `{words}`"));
    said("Work on tasks", &WORK.replace("{about}", &about))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::Value;

    use super::*;

    fn got(name: &str, params: &'static str) -> Option<Result<Value, CallError>> {
        let params = Params::scan(Bytes::from_static(params.as_bytes())).unwrap();
        let result = get(name, &params)?;
        Some(result.map(|bytes| serde_json::from_slice(&bytes).unwrap()))
    }

    #[test]
    fn each_definition_names_a_prompt_that_there_is_and_uses_its_argument() {
        for definition in DEFINITIONS {
            let definition: Value = serde_json::from_str(definition).unwrap();
            let name = definition["name"].as_str().unwrap();
            let params = r#"{"name":"x","arguments":{"goal":"zebra","about":"zebra"}}"#;
            let prompt = got(name, params).unwrap().unwrap();
            let text = prompt["messages"][0]["content"]["text"].as_str().unwrap();
            assert!(text.contains("zebra") && !text.contains('{'), "{text}");
        }
        assert!(got("other", "{}").is_none());
    }

    #[test]
    fn a_goal_that_is_missing_is_a_named_error() {
        let refused = got(TASKS_PLAN, r#"{"arguments":{}}"#).unwrap();
        assert!(matches!(refused, Err(CallError::InvalidParams { .. })));
        assert!(got(TASKS_WORK, "{}").unwrap().is_ok());
    }
}
