//! A launchd agent: launchd.plist(5).

use std::path::Path;

use super::Service;

/// What launchd calls it.
const LABEL: &str = "dev.peerage.node";

/// An agent in the owner's library.
pub(super) fn service(owner: &Path, program: &Path, home: &Path, path: &str) -> Service {
    let file = owner
        .join("Library/LaunchAgents")
        .join(format!("{LABEL}.plist"));
    let string = |text: &str| format!("<string>{}</string>", escaped(text));
    let log = home.join("peerage.log").to_string_lossy().into_owned();
    let text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>{label}
    <key>ProgramArguments</key>
    <array>
        {program}
        <string>--home</string>
        {home}
        <string>up</string>
    </array>
    <key>EnvironmentVariables</key>
    <dict>
        <key>PATH</key>{path}
    </dict>
    <key>RunAtLoad</key><true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key><false/>
    </dict>
    <key>Umask</key><integer>63</integer>
    <key>StandardErrorPath</key>{log}
</dict>
</plist>
"#,
        label = string(LABEL),
        program = string(&program.to_string_lossy()),
        home = string(&home.to_string_lossy()),
        path = string(path),
        log = string(&log),
    );
    let enable = format!("launchctl bootstrap gui/$(id -u) '{}'", file.display());
    Service {
        path: file,
        text,
        enable: vec![enable],
        disable: vec![format!("launchctl bootout gui/$(id -u)/{LABEL}")],
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_runs_the_program_on_the_home_and_again_when_it_fails() {
        let made = service(
            Path::new("/Users/me"),
            Path::new("/opt/peerage"),
            Path::new("/Users/me/this & that"),
            "/usr/bin",
        );
        assert_eq!(
            made.path,
            Path::new("/Users/me/Library/LaunchAgents/dev.peerage.node.plist")
        );
        insta::assert_snapshot!(made.text);
    }
}
