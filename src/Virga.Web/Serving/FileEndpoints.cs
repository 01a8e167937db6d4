using Microsoft.AspNetCore.Routing;

namespace Virga.Web.Serving;

internal static class FileEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
    }
}
