//! The addresses of the gateway, as flags and settings name them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where the gateway listens: the first address must be free; a second one is the other loopback, with the port that
/// the first one got, and is passed over on a machine without that family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAddresses(Vec<SocketAddr>);

impl HttpAddresses {
    /// The port when nothing else is said.
    pub const PORT: u16 = 8080;

    /// Both loopback addresses.
    pub fn loopback(port: u16) -> Self {
        let addresses = [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ];
        Self(
            addresses
                .map(|address| SocketAddr::new(address, port))
                .into(),
        )
    }

    /// One IP address, or both loopback ones for `localhost`; `None` for any other host.
    pub fn at_host(host: &str, port: u16) -> Option<Self> {
        match host {
            "localhost" => Some(Self::loopback(port)),
            _ => Some(Self(vec![SocketAddr::new(host.parse().ok()?, port)])),
        }
    }

    /// The addresses, never empty; port 0 asks the system to pick one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }

    /// Whether other machines can reach the gateway.
    pub fn is_exposed(&self) -> bool {
        self.0.iter().any(|address| !address.ip().is_loopback())
    }
}

impl Default for HttpAddresses {
    fn default() -> Self {
        Self::loopback(Self::PORT)
    }
}

impl FromStr for HttpAddresses {
    type Err = HttpAddressError;

    /// `auto`, or an address and a port.
    fn from_str(text: &str) -> Result<Self, HttpAddressError> {
        if text == "auto" {
            return Ok(Self::loopback(0));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self(vec![address]));
        }
        let port = text
            .strip_prefix("localhost:")
            .and_then(|port| port.parse().ok());
        port.map(Self::loopback).ok_or(HttpAddressError)
    }
}

/// A text that names no address of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "give an address and a port, like 127.0.0.1:8081, [::1]:8081 or localhost:8081, or auto for any free port"
)]
pub struct HttpAddressError;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn http_addresses_are_read_in_every_form() {
        let read = |text: &str| text.parse::<HttpAddresses>();
        assert_eq!(read("auto"), Ok(HttpAddresses::loopback(0)));
        assert_eq!(read("localhost:81"), Ok(HttpAddresses::loopback(81)));
        assert!(read("0.0.0.0:80").unwrap().is_exposed());
        for text in ["", "8080", "localhost", "localhost:x", "example.com:80"] {
            assert_eq!(read(text), Err(HttpAddressError), "{text}");
        }
    }
}
