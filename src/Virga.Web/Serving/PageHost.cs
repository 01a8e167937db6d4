using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Virga.Agent.Control;
using Virga.Web.Components;
using Virga.Web.Live;
using Virga.Web.SignIn;
using Virga.Web.Texts;

namespace Virga.Web.Serving;

/// <summary>The web server behind the page.</summary>
internal static class PageHost
{
    private static readonly TimeSpan Drain = TimeSpan.FromSeconds(2);

    public static async Task<WebApplication> StartAsync(
        PageOptions options, IPEndPoint place, AcceptedConnections connections, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ContentRootPath = options.DataFolder });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, place));
        builder.Services.AddSingleton<IConnectionListenerFactory>(connections);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Drain);
        if (options.Logger is { } logger) builder.Logging.AddProvider(logger);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        // It warns that its keys may be stored in the clear; ours are stored nowhere.
        builder.Logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
        // And that an answer with a form is not cached, which none of ours is. A token that was forged, or is of this
        // agent before it started anew, is refused, which is no error of ours.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Antiforgery", LogLevel.Critical);
        AddServices(builder.Services, options);
        var application = builder.Build();
        try
        {
            var services = application.Services;
            var guard = new Guard(
                options, place, services.GetRequiredService<Sessions>(), services.GetRequiredService<SignInService>());
            application.UseWebSockets();
            application.UseRouting();
            application.Use((http, next) =>
            {
                http.Features.Set(guard);
                return guard.RunAsync(http, next);
            });
            application.UseAntiforgery();
            Map(application, options);
            await application.StartAsync(cancellationToken);
            return application;
        }
        catch
        {
            await application.DisposeAsync();
            throw;
        }
    }

    private static void AddServices(IServiceCollection services, PageOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton(options.Time);
        services.AddSingleton(options.Random);
        services.AddSingleton(options.SignIn);
        services.AddSingleton<Sessions>();
        services.AddSingleton<SignInService>();
        services.AddSingleton<PasskeyService>();
        services.AddSingleton(_ => new ControlClient(options.DataFolder));
        services.AddSingleton<TransferFeed>();
        services.AddSingleton<TrustFeed>();
        services.AddSingleton<CircuitHandler, OpenPages>();
        services.AddScoped<Words>();
        services.AddScoped<Visit>();
        services.AddScoped<Toasts>();
        services.AddScoped<UploadNews>();
        // What it protects lives no longer than the process: forms and circuits of pages that are open.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.AddAntiforgery(antiforgery =>
        {
            antiforgery.Cookie.Name = (options.IsSecure ? "__Host-" : "") + "virga-form";
            antiforgery.Cookie.SameSite = SameSiteMode.Strict;
            antiforgery.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
        });
        services.AddRazorComponents().AddInteractiveServerComponents(circuit =>
        {
            circuit.DisconnectedCircuitMaxRetained = 8;
            circuit.DisconnectedCircuitRetentionPeriod = TimeSpan.FromMinutes(2);
        });
    }

    private static void Map(WebApplication application, PageOptions options)
    {
        application.MapGet("/a/{**name}", PageFiles.AnswerAsync).AllowAnonymous();
        application.MapGet("/favicon.ico", static http =>
        {
            http.Response.Redirect(PageFiles.Url("icon.svg"));
            return Task.CompletedTask;
        }).AllowAnonymous();
        SignInEndpoints.Map(application);
        PasskeyEndpoints.Map(application);
        RestoreEndpoints.Map(application);
        FileEndpoints.Map(application);
        UploadEndpoints.Map(application);
        ThumbEndpoints.Map(application);
        ApiEndpoints.Map(application, options);
        application.MapRazorComponents<App>().AddInteractiveServerRenderMode(mode =>
        {
            // The guard's own policy says it, with all the rest.
            mode.ContentSecurityFrameAncestorsPolicy = null;
        });
        options.Map?.Invoke(application);
    }

    private static void Configure(KestrelServerOptions kestrel, IPEndPoint place)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        kestrel.Limits.MaxRequestHeaderCount = 64;
        // Uploads say for themselves how long they are.
        kestrel.Limits.MaxRequestBodySize = 1 << 20;
        kestrel.Listen(place, listen => listen.Protocols = HttpProtocols.Http1);
    }

    /// <summary>Signals are the command line's business.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
