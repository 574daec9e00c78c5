// Send an image or a PDF to the gateway, print what it found, and save its pictures beside the file.
//
//     RestClient ocr|seal-recognition|human-keypoint-detection FILE [URL]
//
// Newtonsoft.Json; .NET 6 or later, or Mono 6. The environment variable PADDLEX_TRITON_API_KEY holds the key of a server
// that wants one.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Threading.Tasks;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

static class RestClient
{
    static readonly string[] Pipelines = { "ocr", "seal-recognition", "human-keypoint-detection" };

    static int Main(string[] args)
    {
        if (args.Length < 2 || args.Length > 3 || !Pipelines.Contains(args[0]))
        {
            Console.Error.WriteLine($"usage: RestClient {string.Join("|", Pipelines)} FILE [URL]");
            return 2;
        }
        Console.OutputEncoding = new UTF8Encoding(false);
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        try
        {
            Read(args[0], args[1], args.Length == 3 ? args[2] : "http://127.0.0.1:8080").GetAwaiter().GetResult();
            return 0;
        }
        catch (Exception error) when (error is IOException || error is HttpRequestException || error is JsonException
                                      || error is TaskCanceledException)
        {
            Console.Error.WriteLine(error.GetBaseException().Message);
            return 1;
        }
    }

    static async Task Read(string pipeline, string file, string server)
    {
        var content = Convert.ToBase64String(File.ReadAllBytes(file));
        var fileType = Path.GetExtension(file).ToLowerInvariant() == ".pdf" ? 0 : 1;
        var body = pipeline == "human-keypoint-detection"
            ? new JObject { ["image"] = content }
            : new JObject { ["file"] = content, ["fileType"] = fileType };
        var result = await Ask($"{server}/{pipeline}", body);

        var stem = Path.Combine(Path.GetDirectoryName(file), Path.GetFileNameWithoutExtension(file));
        foreach (var person in result["persons"] ?? new JArray())
        {
            Console.WriteLine($"person {(double)person["detScore"]:F3}, keypoints {(double)person["kptScore"]:F3}");
        }
        Save(stem, "image", result["image"]);
        var pages = (JArray)(result["ocrResults"] ?? result["sealRecResults"]) ?? new JArray();
        for (var number = 0; number < pages.Count; number++)
        {
            var page = pages[number];
            var pageStem = pages.Count > 1 ? $"{stem}_{number}" : stem;
            if (pages.Count > 1) Console.WriteLine($"page {number}");
            // A page of seals has the result of each seal.
            foreach (var found in page["prunedResult"]["seal_res_list"] ?? new JArray(page["prunedResult"]))
            {
                for (var line = 0; line < found["rec_texts"].Count(); line++)
                {
                    Console.WriteLine($"{(double)found["rec_scores"][line]:F3} {found["rec_texts"][line]}");
                }
            }
            Save(pageStem, "ocrImage", page["ocrImage"]);
            foreach (var picture in (JObject)page["outputImages"] ?? new JObject())
            {
                Save(pageStem, picture.Key, picture.Value);
            }
        }
    }

    // Return the `result` of the server's answer; a server that is busy is asked once more, when it says.
    static async Task<JToken> Ask(string url, JObject body)
    {
        using (var client = new HttpClient { Timeout = TimeSpan.FromMinutes(5) })
        {
            var key = Environment.GetEnvironmentVariable("PADDLEX_TRITON_API_KEY");
            if (!string.IsNullOrEmpty(key))
            {
                client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            }
            Func<Task<HttpResponseMessage>> post = () =>
                client.PostAsync(url, new StringContent(body.ToString(), Encoding.UTF8, "application/json"));
            var response = await post();
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
            {
                await Task.Delay(response.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1));
                response = await post();
            }
            var answer = JObject.Parse(await response.Content.ReadAsStringAsync());
            if (response.StatusCode != HttpStatusCode.OK || (int)answer["errorCode"] != 0)
            {
                throw new IOException($"error {answer["errorCode"]}: {answer["errorMsg"]} (logId {answer["logId"]})");
            }
            return answer["result"];
        }
    }

    // Write a picture in base64; there is none if the server does not draw.
    static void Save(string stem, string key, JToken picture)
    {
        if (picture != null) File.WriteAllBytes($"{stem}_{key}.jpg", Convert.FromBase64String((string)picture));
    }
}
