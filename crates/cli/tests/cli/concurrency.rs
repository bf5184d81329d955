//! Many processes on one store.

use std::process::Stdio;

use crate::sandbox::{Sandbox, on_each_store};

on_each_store!(i1_eighty_processes_on_a_new_store_are_admitted_fifty_times);

fn i1_eighty_processes_on_a_new_store_are_admitted_fifty_times(sandbox: &Sandbox) {
    let acquire = ["acquire", "zz", "r", "--limit", "n=50/day"];
    let processes: Vec<_> = (0..80)
        .map(|_| sandbox.process(&acquire).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    let mut codes = Vec::new();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        codes.push(output.status.code());
        assert!(matches!(output.status.code(), Some(0 | 75)), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 50);
    assert_eq!(sandbox.json("available zz r --limit n=50/day")["available"]["n"], 0);
}
