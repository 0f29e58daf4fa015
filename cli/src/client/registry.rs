//! Asks the registry for an endpoint, where one is configured and this program was built for it.

use std::path::Path;

use peerage_node::config::environment::Environment;
use peerage_node::config::firebase::FirebaseSettings;
use peerage_node::config::settings_file::SettingsFile;
use peerage_node::home::Home;

/// The URL of the liveliest endpoint there, or why there is none.
pub(super) async fn find(
    home: &Home,
    program: &Path,
    environment: &dyn Environment,
) -> Result<String, String> {
    match settings(home, environment)? {
        Some(firebase) => ask(&firebase, program).await,
        None => Err("no registry is configured".to_owned()),
    }
}

fn settings(
    home: &Home,
    environment: &dyn Environment,
) -> Result<Option<FirebaseSettings>, String> {
    let file = SettingsFile::load(&home.settings()).map_err(|error| error.to_string())?;
    let mut firebase = file.firebase;
    firebase.token_file = firebase.token_file.map(|path| home.root().join(path));
    FirebaseSettings::read(&firebase, environment).map_err(|error| error.to_string())
}

#[cfg(feature = "firebase")]
async fn ask(firebase: &FirebaseSettings, program: &Path) -> Result<String, String> {
    let endpoints = peerage_node::discovery::firebase::endpoints(firebase, program).await;
    let endpoints = endpoints.map_err(|fault| fault.to_string())?;
    let first = endpoints.first().map(|endpoint| endpoint.as_str());
    first
        .map(str::to_owned)
        .ok_or_else(|| "nobody has put an endpoint there, or all who did are away".to_owned())
}

#[cfg(not(feature = "firebase"))]
async fn ask(firebase: &FirebaseSettings, _: &Path) -> Result<String, String> {
    Err(format!(
        "{} is not asked: this program was built without the feature firebase",
        firebase.url
    ))
}
