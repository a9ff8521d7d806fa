using Luffy.Cli;

return await CommandLine.RunAsync(args, Streams.Standard());
