//! Where scenarios and plans come from: by name, or from files.

use std::fs;
use std::path::Path;

use peerage_simulations::plan::Plan;
use peerage_simulations::scenario::Scenario;

use crate::failure::Failure;

/// The scenarios that `asked` means: all, one by its name, or one from a TOML file.
pub fn scenarios(asked: &str) -> Result<Vec<Scenario>, Failure> {
    match asked {
        "all" => Scenario::names().map(scenario).collect(),
        one => Ok(vec![scenario(one)?]),
    }
}

/// One scenario by its name, or from a TOML file, by the name in its path.
pub fn scenario(asked: &str) -> Result<Scenario, Failure> {
    let path = Path::new(asked);
    let found = match path.extension().is_some() || path.is_file() {
        true => Scenario::parse(asked, &read(path)?),
        false => Scenario::builtin(asked),
    };
    found.map_err(|source| Failure::Scenario {
        name: asked.to_owned(),
        source,
    })
}

/// The plan in a file, where `asked` is the path of a JSON file.
pub fn saved_plan(asked: &str) -> Result<Option<Plan>, Failure> {
    let path = Path::new(asked);
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(None);
    }
    let plan = serde_json::from_str(&read(path)?);
    plan.map(Some).map_err(|source| Failure::Plan {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })
}
