//! `[firebase]`: which database is the registry, and what opens it.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::environment::Environment;

/// The variable that names the database when `peerage.toml` does not.
pub const FIREBASE_URL_VARIABLE: &str = "FIREBASE_URL";
/// The variable that holds the token when `peerage.toml` names no file.
pub const FIREBASE_TOKEN_VARIABLE: &str = "FIREBASE_TOKEN";

/// The longest URL of a database, in bytes.
const URL_BYTES_MAX: usize = 256;
/// The longest endpoint that the rules let a record have, in bytes.
const ENDPOINT_BYTES_MAX: usize = 512;
/// The longest token, in bytes; an ID token of Google's has about a thousand.
pub const TOKEN_BYTES_MAX: usize = 4_096;

/// The registry of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirebaseSettings {
    /// The database.
    pub url: DatabaseUrl,
    /// What opens it.
    pub token: TokenSource,
    /// A URL of MCP that everybody who may read the registry is told; nobody is told any without it.
    pub endpoint: Option<PublicEndpoint>,
}

/// Where the token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The database is open, or refuses this node.
    None,
    /// A file of mode 0600, read anew each time: such tokens live for an hour, and something else renews them.
    File(PathBuf),
    /// The environment.
    Given(Token),
}

impl FirebaseSettings {
    /// Of `[firebase]` with the variables in the place of what it does not say; `None` where neither names a database.
    /// The file's token wins over the variable's.
    pub fn read(
        file: &FirebaseFile,
        environment: &dyn Environment,
    ) -> Result<Option<Self>, FirebaseSettingsError> {
        let set = |name| environment.variable(name).filter(|text| !text.is_empty());
        let url = match (&file.url, set(FIREBASE_URL_VARIABLE)) {
            (Some(url), _) => url.clone(),
            (None, Some(text)) => text.parse().map_err(FirebaseSettingsError::Url)?,
            (None, None) => return Ok(None),
        };
        let token = match (&file.token_file, set(FIREBASE_TOKEN_VARIABLE)) {
            (Some(path), _) => TokenSource::File(path.clone()),
            (None, Some(text)) => {
                TokenSource::Given(Token::parse(text.trim()).map_err(FirebaseSettingsError::Token)?)
            }
            (None, None) => TokenSource::None,
        };
        let endpoint = file.endpoint.clone();
        Ok(Some(Self {
            url,
            token,
            endpoint,
        }))
    }
}

/// What `[firebase]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirebaseFile {
    /// `url`.
    pub url: Option<DatabaseUrl>,
    /// `token_file`.
    pub token_file: Option<PathBuf>,
    /// `endpoint`.
    pub endpoint: Option<PublicEndpoint>,
}

/// `https://HOST[:PORT]` of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl {
    authority: String,
}

impl DatabaseUrl {
    /// `HOST:PORT`, the port always written.
    pub fn authority(&self) -> String {
        match self.authority.rsplit_once(':') {
            Some((_, port)) if port.bytes().all(|c| c.is_ascii_digit()) => self.authority.clone(),
            _ => format!("{}:443", self.authority),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority)
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        let authority = text
            .trim()
            .trim_end_matches('/')
            .strip_prefix("https://")
            .filter(|authority| is_authority(authority))
            .ok_or(DatabaseUrlError)?;
        Ok(Self {
            authority: authority.to_ascii_lowercase(),
        })
    }
}

/// A host, perhaps a port, and nothing that could hide a user, a path or a second host.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-');
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host_fits = match in_brackets {
        Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(known),
    };
    text.len() <= URL_BYTES_MAX && port_fits && host_fits
}

/// A text that is no URL of a database. It is not repeated: it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the URL of a database, like https://mesh-default-rtdb.firebaseio.com, without a path, a user or a token"
)]
pub struct DatabaseUrlError;

/// The URL of an MCP endpoint as the rules of the registry let it stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicEndpoint(String);

impl PublicEndpoint {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for PublicEndpoint {
    type Err = PublicEndpointError;

    fn from_str(text: &str) -> Result<Self, PublicEndpointError> {
        let rest = text.strip_prefix("https://").ok_or(PublicEndpointError)?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path),
            None => (rest, ""),
        };
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"._~/-".contains(&c);
        let fits = text.len() <= ENDPOINT_BYTES_MAX && is_authority(authority);
        match fits && path.bytes().all(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(PublicEndpointError),
        }
    }
}

/// A text that may not stand in the registry as an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a URL like https://desk.example/mcp, without a user, a query or a token")]
pub struct PublicEndpointError;

/// A token of the database. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// One that can stand in a query as it is.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.~".contains(&c);
        let fits = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain);
        match fits {
            true => Ok(Self(Zeroizing::new(text.to_owned()))),
            false => Err(TokenError),
        }
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token has 1 to {TOKEN_BYTES_MAX} letters, digits and -_.~, and nothing else")]
pub struct TokenError;

/// Why the registry's settings could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FirebaseSettingsError {
    /// The variable names no database.
    #[error("{FIREBASE_URL_VARIABLE} {0}")]
    Url(DatabaseUrlError),
    /// The variable holds no token.
    #[error("{FIREBASE_TOKEN_VARIABLE}: {0}")]
    Token(TokenError),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;

    fn environment(set: &[(&str, &str)]) -> BTreeMap<String, String> {
        set.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_database_is_a_host_and_nothing_that_hides_another() {
        let url: DatabaseUrl = "https://Mesh.firebaseio.com/".parse().unwrap();
        assert_eq!(url.to_string(), "https://mesh.firebaseio.com");
        assert_eq!(url.authority(), "mesh.firebaseio.com:443");
        let url: DatabaseUrl = "https://[::1]:9000".parse().unwrap();
        assert_eq!(url.authority(), "[::1]:9000");
        let url: DatabaseUrl = "https://[::1]".parse().unwrap();
        assert_eq!(url.authority(), "[::1]:443");
        for bad in [
            "http://h",
            "https://",
            "https://h/x",
            "https://u:p@h",
            "https://h?auth=x",
            "https://h#x",
            "https://h:0",
            "https://h:x",
            "h",
            "https://h\\x",
        ] {
            assert_eq!(bad.parse::<DatabaseUrl>(), Err(DatabaseUrlError), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_may_not_carry_a_secret() {
        assert!(
            "https://desk.example:8443/mcp"
                .parse::<PublicEndpoint>()
                .is_ok()
        );
        for bad in ["http://h/mcp", "https://u:p@h/", "https://h/mcp?token=1"] {
            assert!(bad.parse::<PublicEndpoint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn without_a_word_there_is_no_registry_and_the_file_wins_over_the_environment() {
        let read = |file: &FirebaseFile, set: &[(&str, &str)]| {
            FirebaseSettings::read(file, &environment(set))
        };
        let none = FirebaseFile::default();
        assert_eq!(read(&none, &[(FIREBASE_TOKEN_VARIABLE, "x")]), Ok(None));
        let set = [
            (FIREBASE_URL_VARIABLE, "https://of.variable"),
            (FIREBASE_TOKEN_VARIABLE, "secret\n"),
        ];
        let settings = read(&none, &set).unwrap().unwrap();
        assert_eq!(settings.url.to_string(), "https://of.variable");
        assert!(!format!("{settings:?}").contains("secret"));
        let file = FirebaseFile {
            url: Some("https://of.file".parse().unwrap()),
            token_file: Some("t".into()),
            endpoint: None,
        };
        let settings = read(&file, &set).unwrap().unwrap();
        assert_eq!(settings.url.to_string(), "https://of.file");
        assert_eq!(settings.token, TokenSource::File("t".into()));
    }

    #[test]
    fn a_bad_variable_is_named_and_not_repeated() {
        let set = [(FIREBASE_URL_VARIABLE, "https://me:hunter2@h")];
        let refused = FirebaseSettings::read(&FirebaseFile::default(), &environment(&set));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("FIREBASE_URL must be"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
