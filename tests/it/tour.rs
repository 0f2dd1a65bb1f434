//! The tour that NVFlare's documentation of the POC command gives, typed as documented, with `poc` in
//! the place of `nvflare poc`.

use std::time::Duration;

use poc_tests::{Federation, Job, SHORT, poc_snapshot, poc_test};

#[test]
fn the_documented_tour() {
    // A path with a space: job processes, too, must find their way.
    let world = poc_test!().with_flare();
    let jobs = Job::Counting.directory(&world);
    let examples = jobs.parent().unwrap();

    // Port 8002 is the documented one, but another test, or the person at this machine, may have it.
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "2", "--ports", &port])
        .success();
    world
        .poc(["prepare-jobs-dir", "-j", examples.as_str()])
        .success();
    let transfer = world.kit("admin@nvidia.com").join("transfer");
    assert!(transfer.join("counting/meta.json").exists());
    let started = world.poc(["start", "-ex", "admin@nvidia.com"]).success();
    assert!(
        started.elapsed < Duration::from_secs(60),
        "{}",
        started.transcript()
    );
    let federation = Federation::running(&world);
    assert_eq!(federation.clients(), ["site-1", "site-2"]);

    // By API, with a path of one's own.
    let by_api = federation.submit(Job::Counting);

    // By CLI, which finds the kit through config.conf.
    let submitted = world
        .nvflare(["--format", "json", "job", "submit", "-j", jobs.as_str()])
        .success();
    let by_cli = submitted.data()["job_id"].as_str().unwrap().to_owned();

    // By console, with the path below the transfer directory, as the documentation has it.
    let mut console = world.on_terminal(world.poc(["start", "-p", "admin@nvidia.com"]));
    console.expect("> ", SHORT);
    console.type_in("submit_job counting\n");
    let answer = console.expect("Done", SHORT);
    let (_, after) = answer
        .split_once("Submitted job: ")
        .unwrap_or_else(|| panic!("no job submitted:\n{answer}"));
    let by_console: String = after
        .chars()
        .take_while(|letter| !letter.is_whitespace())
        .collect();
    console.type_in("bye\n");
    let (code, shown) = console.wait(SHORT);
    assert_eq!(code, 0, "{shown}");

    federation.wait_completed(&[&by_api, &by_cli, &by_console]);
    for job in [&by_api, &by_cli, &by_console] {
        federation.assert_counted(job);
    }

    let stopped = world.poc(["stop"]).success();
    assert_eq!(
        stopped.stdout,
        "✓ Stopped server, site-1 and site-2; no process is left\n"
    );
    world.assert_nothing_left();
    poc_snapshot!(world, world.poc(["clean"]).success(), @"
    exit code: 0
    ----- stdout -----
    ✓ Removed [WORKSPACE]
      config.conf does not point at it any more
    ----- stderr -----
    ");
    assert!(!world.workspace().exists());
    assert!(
        examples.join("counting/meta.json").exists(),
        "clean followed the link to the jobs"
    );
}
