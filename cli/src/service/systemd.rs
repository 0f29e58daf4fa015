//! A systemd user unit: <https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html>.

use std::path::Path;

use super::Service;

/// A unit in the owner's configuration folder.
pub(super) fn service(configuration: &Path, program: &Path, home: &Path, path: &str) -> Service {
    // The node ends its children itself, in order; a certificate and an address outlive a restart.
    let text = format!(
        "[Unit]\n\
         Description=Peerage, a peer-to-peer mesh for MCP\n\
         \n\
         [Service]\n\
         ExecStart={} --home {} up\n\
         Environment={}\n\
         Restart=on-failure\n\
         RestartSec=2\n\
         KillMode=mixed\n\
         TimeoutStopSec=10\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
        quoted(&program.to_string_lossy()).replace('$', "$$"),
        quoted(&home.to_string_lossy()).replace('$', "$$"),
        quoted(&format!("PATH={path}")),
    );
    Service {
        path: configuration.join("systemd/user/peerage.service"),
        text,
        enable: vec![
            "systemctl --user daemon-reload".to_owned(),
            "systemctl --user enable --now peerage".to_owned(),
            "loginctl enable-linger    # to run it without a login as well".to_owned(),
        ],
        disable: vec!["systemctl --user disable --now peerage".to_owned()],
    }
}

/// One word to systemd, whatever is in it.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_runs_the_program_on_the_home_with_the_owners_path() {
        let made = service(
            Path::new("/home/me/.config"),
            Path::new("/usr/bin/peerage"),
            Path::new("/home/me/100% \"mine\""),
            "/usr/bin:/home/me/bin",
        );
        assert_eq!(
            made.path,
            Path::new("/home/me/.config/systemd/user/peerage.service")
        );
        insta::assert_snapshot!(made.text);
    }
}
