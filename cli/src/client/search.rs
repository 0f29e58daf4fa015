//! Looks for an endpoint in one place after the other, and remembers what came of each.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use peerage_node::config::environment::{Environment, ProcessEnvironment};
use peerage_node::home::Home;
use serde::Serialize;

use super::endpoint::{ENDPOINT_VARIABLE, Endpoint, Source, of_environment, of_node};
use super::error::ClientError;
use super::{neighbours, registry};

/// Where to look: `MCP_ENDPOINT` first, then the node on this home, then where asked the neighbours and the registry. The
/// first that is found wins.
#[derive(Clone, Debug)]
pub struct Search {
    home: Home,
    neighbours: bool,
    registry: Option<PathBuf>,
}

/// What a search came to.
#[derive(Debug)]
pub struct Found {
    /// Every place that was looked at, in order.
    pub steps: Vec<Step>,
    /// What the last of them gave; else why this home's node did not answer.
    pub endpoint: Result<Endpoint, ClientError>,
}

/// One place that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub source: Source,
    /// How long that took, in microseconds.
    pub micros: u64,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of looking at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The URL of an endpoint.
    Found(String),
    /// Why there is none.
    Nothing(String),
}

impl Search {
    /// Of `MCP_ENDPOINT` and the node on `home`; `PEERAGE_HOME`, else the platform's data folder, where it is not given.
    pub fn of(home: Option<PathBuf>) -> Result<Self, ClientError> {
        Ok(Self::at(Home::locate(home, &ProcessEnvironment)?))
    }

    pub(crate) fn at(home: Home) -> Self {
        Self {
            home,
            neighbours: false,
            registry: None,
        }
    }

    /// Also asks every address of this machine's private networks, at most 4,096 and 100 a second.
    pub fn with_neighbours(self) -> Self {
        Self {
            neighbours: true,
            ..self
        }
    }

    /// Also asks the registry of `FIREBASE_URL`, else of the home's `peerage.toml`. `program` is a `peerage` that was built with it.
    pub fn with_registry(self, program: PathBuf) -> Self {
        Self {
            registry: Some(program),
            ..self
        }
    }

    /// Looks until something is found.
    pub async fn run(&self) -> Found {
        self.run_in(&ProcessEnvironment).await
    }

    pub(crate) async fn run_in(&self, environment: &dyn Environment) -> Found {
        let mut steps = Vec::new();
        let begun = Instant::now();
        let named = of_environment(environment);
        let not_set = || format!("{ENDPOINT_VARIABLE} is not set");
        let url = named.as_ref().map(|endpoint| endpoint.url.clone());
        steps.push(Step::since(
            begun,
            Source::Environment,
            url.ok_or_else(not_set),
        ));
        if let Some(endpoint) = named {
            return Found::at(steps, endpoint);
        }
        let begun = Instant::now();
        let of_node = of_node(&self.home).await;
        let url = of_node.as_ref().map(|endpoint| endpoint.url.clone());
        let url = url.map_err(ToString::to_string);
        steps.push(Step::since(begun, Source::Node, url));
        let absent = match of_node {
            Ok(endpoint) => return Found::at(steps, endpoint),
            Err(absent) => absent,
        };
        if self.neighbours {
            let begun = Instant::now();
            let url = neighbours::find().await;
            steps.push(Step::since(begun, Source::Scan, url));
        }
        if let (true, Some(program)) = (last_found(&steps).is_none(), &self.registry) {
            let begun = Instant::now();
            let url = registry::find(&self.home, program, environment).await;
            steps.push(Step::since(begun, Source::Registry, url));
        }
        match last_found(&steps) {
            Some(endpoint) => Found::at(steps, endpoint),
            None => Found {
                steps,
                endpoint: Err(absent),
            },
        }
    }
}

impl Found {
    fn at(steps: Vec<Step>, endpoint: Endpoint) -> Self {
        Self {
            steps,
            endpoint: Ok(endpoint),
        }
    }
}

impl Step {
    fn since(begun: Instant, source: Source, url: Result<String, String>) -> Self {
        let micros = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Self {
            source,
            micros: micros(begun.elapsed()),
            outcome: url.map_or_else(Outcome::Nothing, Outcome::Found),
        }
    }
}

fn last_found(steps: &[Step]) -> Option<Endpoint> {
    let step = steps.last()?;
    match &step.outcome {
        Outcome::Found(url) => Some(Endpoint {
            url: url.clone(),
            source: step.source,
        }),
        Outcome::Nothing(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;

    #[tokio::test]
    async fn what_the_variable_names_ends_the_search_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let search = Search::at(Home::at(folder.path()).unwrap()).with_neighbours();
        let set = [(ENDPOINT_VARIABLE.to_owned(), "http://h/mcp".to_owned())];
        let found = search.run_in(&BTreeMap::from(set)).await;
        assert_eq!(found.endpoint.unwrap().source, Source::Environment);
        assert_eq!(found.steps.len(), 1);
    }

    #[tokio::test]
    async fn without_a_node_the_registry_is_asked_where_one_is_configured_and_every_step_says_why()
    {
        let folder = tempfile::tempdir().unwrap();
        let search = Search::at(Home::at(folder.path()).unwrap());
        let search = search.with_registry("/no/such/program".into());
        let found = search.run_in(&BTreeMap::new()).await;
        assert!(found.endpoint.is_err());
        let sources: Vec<_> = found.steps.iter().map(|step| step.source).collect();
        assert_eq!(
            sources,
            [Source::Environment, Source::Node, Source::Registry]
        );
        for step in &found.steps {
            assert!(matches!(&step.outcome, Outcome::Nothing(why) if !why.is_empty()));
        }
    }
}
