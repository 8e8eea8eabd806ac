//! Parse, run, render, exit.

use std::process::ExitCode;
use std::sync::Arc;

use provisioner::cli::Cli;
use provisioner::ui::Ui;

fn main() -> ExitCode {
    let cli = Cli::read();
    let choice = match cli.global.color {
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
    };
    choice.write_global();
    let ui = Arc::new(Ui::new(cli.global.output, cli.global.verbose));
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let events = provisioner::ui::Events::new(ui, cli.global.invocation());
            let exit = events.report(provisioner::error::Error::new("cannot start the runtime").because(&error));
            return ExitCode::from(exit as u8);
        }
    };
    let exit = runtime.block_on(provisioner::run::run(cli, &ui));
    // After Ctrl-C at a prompt, the thread that reads the answer is still blocked.
    runtime.shutdown_background();
    ExitCode::from(exit as u8)
}
