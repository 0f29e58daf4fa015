//! What is a command line, and what is none.

#![allow(clippy::unwrap_used)]

use super::*;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    let given: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    Arguments::read(&given)
}

#[test]
fn the_definition_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn every_line_of_the_contract_is_understood() {
    let lines = [
        "peerage up --home h --name n --http auto --listen /ip4/1.2.3.4/tcp/1 --listen x --bootstrap f --no-mdns --log debug",
        "peerage up --http 127.0.0.1:0 --json",
        "peerage serve fs --share --env A=b --env C= -- npx -y server --json",
        "peerage serve web https://example.com/mcp --share",
        "peerage unserve fs",
        "peerage invite --ttl 15m --uses 1 --role member",
        "peerage invite --no-start",
        "peerage tickets --json",
        "peerage propose Merge it? --option yes --option no --voters a@desk,laptop --weight a@desk=2 --threshold two-thirds --deadline 1h --as a",
        "peerage vote 3fa4 yes --as a --json",
        "peerage proposals --watch",
        "peerage proposal 3fa4 --proof f",
        "peerage verify f --mesh 11111111111111111111111111111111",
        "peerage tickets revoke 12ab",
        "peerage invite --role observer",
        "peerage invite --only files desk/mail --uses 2",
        "peerage invite --lifetime 20s",
        "peerage requests",
        "peerage requests --open 10m --json",
        "peerage requests --close",
        "peerage approve canal-orbit-velvet-mango",
        "peerage approve canal orbit velvet mango --role observer --lifetime 1h",
        "peerage --json join peerage1abc",
        "peerage join --ask",
        "peerage join --ask /ip4/192.0.2.1/tcp/1/p2p/12D3 --same-words",
        "peerage join peerage1abc --connect claude",
        "peerage leave --home h",
        "peerage members --watch",
        "peerage revoke laptop --keep-issued-before 2d --json",
        "peerage nodes",
        "peerage tools read a file",
        "peerage status --json",
        "peerage nodes --watch",
        "peerage tools -w read",
        "peerage status --watch --json",
        "peerage call desk__fs__read path=/etc/hosts n=3 --timeout 5s",
        "peerage call t --args {\"a\":1}",
        "peerage endpoint --json",
        "peerage endpoint --trace --scan",
        "peerage mcp",
        "peerage mcp --as claude --no-start",
        "peerage connect",
        "peerage connect claude-desktop --write --project --as me",
        "peerage disconnect vscode --write",
        "peerage import codex --write",
        "peerage token create agent",
        "peerage token list",
        "peerage token revoke agent",
        "peerage doctor --json",
        "peerage firebase rules",
        "peerage firebase id --json",
        "peerage rename desk",
        "peerage backup - --home h",
        "peerage restore file --force",
        "peerage restore --recovery-words --member /ip4/192.0.2.1/tcp/1/p2p/12D3",
        "peerage keys rotate --json",
        "peerage keys recovery-words --show",
        "peerage install --write",
        "peerage uninstall --json",
        "peerage completions zsh",
        "peerage man up",
        "peerage demo --json",
        "peerage up --background --name n",
        "peerage down",
        "peerage restart --json",
        "peerage logs -f -n 20",
        "peerage sample-server folder",
    ];
    for line in lines {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let lines = [
        "peerage",
        "peerage up --http here",
        "peerage up --name My_Node",
        "peerage serve fs",
        "peerage serve fs http://h/ -- cmd",
        "peerage serve fs http://h/ --env A=b",
        "peerage serve FS -- cmd",
        "peerage serve web ftp://h/",
        "peerage invite --uses 0",
        "peerage invite --ttl soon",
        "peerage call t novalue",
        "peerage call t a=1 --args {}",
        "peerage call t a=1 b=2 a=1",
        "peerage call t --args []",
        "peerage token",
        "peerage connect nobody",
        "peerage connect --write",
        "peerage join peerage1abc --connect nobody",
        "peerage tickets revoke ../status",
        "peerage mcp --as Big_Name",
    ];
    for line in lines {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn an_argument_given_twice_is_named() {
    let error = parse("peerage call t path=/a n=1 path=/b").unwrap_err();
    assert!(error.to_string().contains("'path'"), "{error}");
}

#[test]
fn flags_after_the_dashes_belong_to_the_served_command() {
    let arguments = parse("peerage serve fs -- npx --json --home x").unwrap();
    assert!(!arguments.json);
    let Command::Serve(serve) = arguments.command else {
        panic!("it is a serve command");
    };
    assert_eq!(serve.command, ["npx", "--json", "--home", "x"]);
}
