//! What the command line makes of a node's answers: streams and exit codes, against a node played by the test.
#![allow(clippy::unwrap_used)]

mod program;

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use program::{peerage, text};

struct Played {
    _folder: tempfile::TempDir,
    home: PathBuf,
    request: thread::JoinHandle<String>,
}

/// A node that answers one request with this status and body, and remembers the request.
fn play(status: &'static str, body: &'static str) -> Played {
    play_all(status, vec![body])
}

/// A node that answers one request after another, and remembers the last.
fn play_all(status: &'static str, bodies: Vec<&'static str>) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_path_buf();
    let listener = UnixListener::bind(home.join("peerage.sock")).unwrap();
    let request = thread::spawn(move || {
        let mut last = String::new();
        for body in bodies {
            last = answer(&listener, status, body);
        }
        last
    });
    Played {
        _folder: folder,
        home,
        request,
    }
}

fn answer(listener: &UnixListener, status: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = [0; 16 * 1024];
    let length = stream.read(&mut bytes).unwrap();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    text(&bytes[..length])
}

const RESULT: &str =
    r#"{"result":{"content":[{"type":"text","text":"hello"}],"x": 1.0},"is_error":false}"#;

#[test]
fn a_call_prints_the_text_and_exits_with_0() {
    let node = play("200 OK", RESULT);
    let output = peerage(&node.home, &["call", "t", "n=1", "s=two words"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "hello\n".to_owned())
    );
    let request = node.request.join().unwrap();
    assert!(request.starts_with("POST /v1/call "), "{request}");
    assert!(
        request.contains(r#""arguments":{"n":1,"s":"two words"}"#),
        "{request}"
    );
    assert!(request.contains(r#""timeout_ms":60000"#), "{request}");
}

#[test]
fn with_json_a_call_prints_the_raw_result() {
    let node = play("200 OK", RESULT);
    let output = peerage(&node.home, &["call", "t", "--json"]);
    let raw = r#"{"content":[{"type":"text","text":"hello"}],"x": 1.0}"#;
    assert_eq!(text(&output.stdout), format!("{raw}\n"));
}

#[test]
fn a_tool_that_reports_an_error_exits_with_5_and_its_content_is_printed() {
    let body = r#"{"result":{"content":[{"type":"text","text":"no such file"}],"isError":true},"is_error":true}"#;
    let output = peerage(&play("200 OK", body).home, &["call", "t"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(5), "no such file\n".to_owned())
    );
}

#[test]
fn a_refusal_exits_as_the_node_says_and_prints_its_hint() {
    let body = r#"{"error":{"kind":"founded","message":"this home has a mesh","hint":"peerage leave"},"exit":3}"#;
    let output = peerage(&play("403 Forbidden", body).home, &["leave"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("peerage leave"), "{output:?}");
}

#[test]
fn the_ticket_alone_goes_to_standard_output() {
    let body =
        r#"{"ticket":"peerage1abc","expires":0,"warnings":["nobody outside can reach you"]}"#;
    let json = peerage(
        &play("200 OK", body).home,
        &["invite", "--no-start", "--json"],
    );
    assert_eq!(text(&json.stdout), "{\"ticket\":\"peerage1abc\"}\n");
    let plain = peerage(&play("200 OK", body).home, &["invite", "--no-start"]);
    assert_eq!(text(&plain.stdout), "peerage1abc\n");
    assert!(
        text(&plain.stderr).contains("nobody outside can reach you"),
        "{plain:?}"
    );
}

#[test]
fn a_list_is_one_json_array() {
    let output = peerage(
        &play("200 OK", r#"{"tools":[]}"#).home,
        &["tools", "read file", "--json"],
    );
    assert_eq!(text(&output.stdout), "[]\n");
}

#[test]
fn an_answer_of_another_version_is_a_failure_that_says_so() {
    let output = peerage(&play("200 OK", r#"{"tools": 1}"#).home, &["tools"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("same version"), "{output:?}");
}

#[test]
fn a_second_token_for_a_name_says_that_the_first_no_longer_works() {
    let made = r#"{"token":"secret"}"#;
    let earlier = r#"{"tokens":[{"name":"coder","created":0}]}"#;
    let node = play_all("200 OK", vec![earlier, made]);
    let output = peerage(&node.home, &["token", "create", "coder"]);
    assert_eq!(text(&output.stdout), "secret\n");
    let said = text(&output.stderr);
    assert!(
        said.contains("earlier token of coder no longer works"),
        "{said}"
    );

    let node = play_all("200 OK", vec![earlier, made]);
    let output = peerage(&node.home, &["token", "create", "writer"]);
    assert!(
        !text(&output.stderr).contains("no longer works"),
        "{output:?}"
    );
}

#[test]
fn without_tools_one_is_told_of_servers_that_start() {
    let status = r#"{"node":"n","name":"desk","mesh":null,"role":null,"certificate_expires":null,"version":"0",
        "uptime_seconds":1,"http":[],"listen":[],"connected":0,"local_tools":0,"remote_tools":0,"warnings":[],
        "servers":[{"name":"fs","share":false,"state":"starting","why":null,"tools":0}]}"#;
    let node = play_all("200 OK", vec![r#"{"tools":[]}"#, status]);
    let said = text(&peerage(&node.home, &["tools"]).stdout);
    assert!(said.contains("still be starting: peerage status"), "{said}");
}
