//! Members found by a registry, and a registry that fails in every way: the node does not notice more than it says.
#![cfg(feature = "firebase")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use peerage_tests::cli::{Said, command};
use peerage_tests::client::{Client, Era, text_of};
use peerage_tests::firebase::{Database, Fault};
use peerage_tests::mesh::{join, named, wait_connected, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::process::{processor_time, resident_kib};
use peerage_tests::wait::wait_until;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Far more than an exchange needs on a busy machine, the longest pause before it included.
const PATIENCE: Duration = Duration::from_secs(100);

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

/// A member that stopped: its home, and its record's id and token.
struct Member {
    home: PathBuf,
    name: &'static str,
    id: String,
    token: String,
}

/// A mesh of stopped members, none of which is where the others knew it, and their registry.
struct Apart {
    _folder: TempDir,
    database: Database,
    desk: Member,
    laptop: Member,
}

impl Apart {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = named(folder.path(), "desk").await;
        let laptop = named(folder.path(), "laptop").await;
        join(&desk, &laptop).await;
        let database = Database::start().await;
        let desk = Member::stopped(desk, "desk", &database).await;
        let laptop = Member::stopped(laptop, "laptop", &database).await;
        Self {
            _folder: folder,
            database,
            desk,
            laptop,
        }
    }
}

impl Member {
    async fn stopped(node: Peerage, name: &'static str, database: &Database) -> Self {
        let id = node.cli(&["firebase", "id"]).await.done().stdout;
        let member = Self {
            home: node.home().to_path_buf(),
            name,
            id: id.trim().to_owned(),
            token: format!("secret-token-of-{name}"),
        };
        node.stop().await;
        member.write_token(&member.token);
        let url = database.url();
        let settings = format!("[firebase]\nurl = {url:?}\ntoken_file = \"firebase.token\"\n");
        fs::write(member.home.join("peerage.toml"), settings).unwrap();
        database.admit(&member.token, &member.id);
        member
    }

    fn write_token(&self, token: &str) {
        let path = self.home.join("firebase.token");
        fs::write(&path, token).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// At addresses that nobody knows yet.
    async fn up(&self, database: &Database) -> Peerage {
        let authority = database.authority();
        let environment = [("SSL_CERT_FILE", authority.as_path())];
        Peerage::up_in(&self.home, &environment, &["--name", self.name]).await
    }
}

async fn registry(node: &Peerage) -> Value {
    let status = node.cli(&["status", "--json"]).await.done().json();
    status["registry"].clone()
}

/// Waits until the latest exchange ended well, or not.
async fn wait_registry(node: &Peerage, well: bool) -> Value {
    wait_until(
        &format!("the registry does well: {well}"),
        PATIENCE,
        async || {
            let registry = registry(node).await;
            let decided = match well {
                true => registry["succeeded"].is_u64() && registry["fault"].is_null(),
                false => registry["fault"].is_string(),
            };
            decided.then_some(registry)
        },
    )
    .await
}

/// What `nodes --addresses` says.
async fn book(node: &Peerage) -> Value {
    let said = node.cli(&["nodes", "--addresses", "--json"]).await;
    said.done().json()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_find_each_other_by_the_registry_alone_and_it_learns_nothing() {
    let apart = Apart::new().await;
    let desk = apart.desk.up(&apart.database).await;
    wait_registry(&desk, true).await;
    let begun = Instant::now();
    let laptop = apart.laptop.up(&apart.database).await;
    wait_connected(&laptop, &desk.ready().node).await;
    println!(
        "found by the registry {:?} after its start",
        begun.elapsed()
    );
    wait_registry(&laptop, true).await;
    let records = apart.database.records();
    let ids: Vec<&String> = records.keys().collect();
    let mut expected = [&apart.desk.id, &apart.laptop.id];
    expected.sort();
    assert_eq!(ids, expected);
    let written = json!(records).to_string();
    let mesh = desk.ready().mesh.clone().unwrap();
    for secret in ["127.0.0.1", "desk", "laptop", &mesh, &desk.ready().node] {
        assert!(!written.contains(secret), "{secret} in {written}");
    }
    for request in apart.database.log() {
        assert!(!request.contains("secret-token"), "{request}");
    }
    for node in [&desk, &laptop] {
        assert!(!node.log().contains("secret-token"));
    }
    laptop.stop().await;
    assert!(!apart.database.records().contains_key(&apart.laptop.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_a_heartbeat_expires_in_the_registrys_time() {
    let apart = Apart::new().await;
    let laptop = apart.laptop.up(&apart.database).await;
    wait_registry(&laptop, true).await;
    laptop.kill().await;
    assert!(apart.database.records().contains_key(&apart.laptop.id));
    apart.database.set_ahead(Duration::from_secs(200));
    let desk = apart.desk.up(&apart.database).await;
    let seen = wait_registry(&desk, true).await;
    assert_eq!((&seen["members"], &seen["expired"]), (&json!(0), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_named_and_a_new_one_in_the_file_is_taken() {
    let apart = Apart::new().await;
    apart.database.revoke(&apart.desk.token);
    let desk = apart.desk.up(&apart.database).await;
    let seen = wait_registry(&desk, false).await;
    let fault = seen["fault"].as_str().unwrap();
    assert!(fault.contains("401"), "{fault}");
    assert!(!fault.contains("secret-token"), "{fault}");
    let doctor = desk.cli(&["doctor"]).await;
    assert!(doctor.stdout.contains("401"), "{doctor:?}");
    apart.desk.write_token("secret-token-that-is-new");
    apart
        .database
        .admit("secret-token-that-is-new", &apart.desk.id);
    wait_registry(&desk, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_lies_about_a_member_leads_nowhere_and_is_counted() {
    let apart = Apart::new().await;
    let laptop = apart.laptop.up(&apart.database).await;
    laptop
        .cli(&["serve", "open", "--share", "--", TOY])
        .await
        .done();
    wait_registry(&laptop, true).await;
    let whose = format!("/p2p/{}", laptop.ready().node);
    let heartbeat = apart.database.records()[&apart.laptop.id]["last_heartbeat"].clone();
    let lie = |addresses: Vec<String>| json!({"endpoint": "https://h/", "status": "online", "last_heartbeat": heartbeat, "multiaddrs": addresses});
    let many = (1..=10_000).map(|port| format!("/ip4/127.0.0.1/tcp/{port}{whose}"));
    apart.database.plant("many", lie(many.collect()));
    apart.database.plant(
        "attacker",
        lie(vec![format!("/ip4/192.0.2.66/tcp/1{whose}")]),
    );
    let copy = apart.database.records()[&apart.laptop.id].clone();
    apart.database.plant("copy", copy);
    let nonsense = json!({"endpoint": [], "last_heartbeat": "soon"});
    apart.database.plant("nonsense", nonsense);
    let desk = apart.desk.up(&apart.database).await;
    wait_connected(&desk, &laptop.ready().node).await;
    let seen = wait_registry(&desk, true).await;
    assert_eq!(seen["members"], 1, "{seen}");
    assert_eq!(seen["foreign"], 4, "{seen}");
    let book = book(&desk).await.to_string();
    assert!(!book.contains("192.0.2.66"), "{book}");
    let log = desk.log();
    assert!(log.contains("are no member's word"), "{log}");
    let tool = wait_tool(&desk, "read_file").await;
    let client = Client::connect(&desk, Era::Modern).await;
    let path = apart.laptop.home.join("mcp.json");
    for _ in 0..50 {
        let answer = client.call(&tool, json!({"path": path})).await.unwrap();
        assert_eq!(text_of(&answer), fs::read_to_string(&path).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_a_node_is_told_the_endpoint_that_an_owner_put_into_the_registry() {
    let apart = Apart::new().await;
    let settings = apart.desk.home.join("peerage.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let endpoint = "https://desk.example/mcp";
    fs::write(&settings, format!("{before}endpoint = {endpoint:?}\n")).unwrap();
    let desk = apart.desk.up(&apart.database).await;
    let laptop = apart.laptop.up(&apart.database).await;
    wait_registry(&desk, true).await;
    wait_registry(&laptop, true).await;
    let elsewhere = tempfile::tempdir().unwrap();
    apart.database.admit("secret-token-of-a-reader", "reader");
    let output = command(elsewhere.path(), &["endpoint", "--trace", "--json"])
        .env("FIREBASE_URL", apart.database.url())
        .env("FIREBASE_TOKEN", "secret-token-of-a-reader")
        .env("SSL_CERT_FILE", apart.database.authority())
        .output();
    let said = Said::new(&output.await.unwrap()).done();
    println!("{}", said.stdout);
    let found = said.json();
    assert_eq!(
        (&found["url"], &found["source"]),
        (&json!(endpoint), &json!("registry"))
    );
    let steps = found["steps"].as_array().unwrap().iter();
    let sources: Vec<&str> = steps.map(|step| step["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["environment", "node", "registry"]);
    let own = desk.cli(&["endpoint", "--trace"]).await.done();
    assert_eq!(own.stdout.trim(), desk.ready().http);
    assert_eq!(own.stderr.lines().count(), 2, "{own:?}");
}

/// How a node fares while calls are made from it to a member.
#[derive(Clone, Debug)]
struct Figures {
    median: Duration,
    slowest_of_twenty: Duration,
    processor: Duration,
    resident_kib: u64,
}

const CALLS: usize = 200;

async fn figures(node: &Peerage, client: &Client, tool: &str, path: &Path) -> Figures {
    let before = processor_time(node.pid());
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        client.call(tool, json!({"path": path})).await.unwrap();
        times.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    times.sort();
    Figures {
        median: times[CALLS / 2],
        slowest_of_twenty: times[CALLS * 19 / 20],
        processor: processor_time(node.pid()) - before,
        resident_kib: resident_kib(node.pid()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_registry_does_calls_and_the_node_stay_as_they_are() {
    let apart = Apart::new().await;
    fs::remove_file(apart.laptop.home.join("peerage.toml")).unwrap();
    let laptop = apart.laptop.up(&apart.database).await;
    laptop
        .cli(&["serve", "open", "--share", "--", TOY])
        .await
        .done();
    let file = apart.laptop.home.join("mcp.json");
    let bootstrap = apart.desk.home.join("bootstrap-peers.toml");
    let address = &laptop.ready().listen[0];
    let line = format!("{address}/p2p/{}", laptop.ready().node);
    fs::write(bootstrap, format!("[regions]\nhome = [{line:?}]\n")).unwrap();

    let mut well = None;
    for fault in [None].into_iter().chain(Fault::ALL.map(Some)) {
        apart.database.fail(fault);
        let desk = apart.desk.up(&apart.database).await;
        wait_connected(&desk, &laptop.ready().node).await;
        let tool = wait_tool(&desk, "read_file").await;
        let client = Client::connect(&desk, Era::Modern).await;
        let seen = figures(&desk, &client, &tool, &file).await;
        println!("{fault:?}: {seen:?}");
        let registry = wait_registry(&desk, fault.is_none()).await;
        println!("  says: {}", registry["fault"]);
        let well: &Figures = well.get_or_insert_with(|| seen.clone());
        let slack = Duration::from_millis(20);
        assert!(seen.median < well.median * 3 + slack, "{seen:?}");
        assert!(
            seen.slowest_of_twenty < well.slowest_of_twenty * 4 + slack,
            "{seen:?}"
        );
        assert!(
            seen.processor < well.processor * 2 + Duration::from_secs(1),
            "{seen:?}"
        );
        assert!(
            seen.resident_kib < well.resident_kib + 32 * 1024,
            "{seen:?}"
        );
        apart.database.fail(None);
        if fault == Some(Fault::Unavailable) {
            wait_registry(&desk, true).await;
        }
        let (status, took) = desk.stop().await;
        assert!(
            status.success() && took < Duration::from_secs(5),
            "{took:?}"
        );
    }
}
