// Send an image or a PDF to the gateway, print what it found, and save its pictures beside the file.
//
//     java -cp gson.jar RestClient.java ocr|seal-recognition|human-keypoint-detection FILE [URL]
//
// Java 11 or later and Gson. The environment variable PADDLEX_TRITON_API_KEY holds the key of a server that wants one.
import com.google.gson.*;
import java.io.*;
import java.net.URI;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;

public class RestClient {
    static class Found { List<String> rec_texts; List<Double> rec_scores; }
    static class Pruned extends Found { List<Found> seal_res_list; }
    static class Page { Pruned prunedResult; String ocrImage; Map<String, String> outputImages; }
    static class Person { double detScore, kptScore; }
    static class Result { List<Page> ocrResults, sealRecResults; List<Person> persons; String image; }
    static class Answer { String logId, errorMsg; int errorCode; Result result; }

    static final List<String> PIPELINES = List.of("ocr", "seal-recognition", "human-keypoint-detection");
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] args) throws InterruptedException {
        if (args.length < 2 || args.length > 3 || !PIPELINES.contains(args[0])) {
            System.err.println("usage: RestClient " + String.join("|", PIPELINES) + " FILE [URL]");
            System.exit(2);
        }
        try {
            read(args[0], args[1], args.length == 3 ? args[2] : "http://127.0.0.1:8080");
        } catch (IOException | JsonParseException error) {
            System.err.println(error);
            System.exit(1);
        }
    }

    static void read(String pipeline, String file, String server) throws IOException, InterruptedException {
        var content = Base64.getEncoder().encodeToString(Files.readAllBytes(Path.of(file)));
        var isPdf = file.toLowerCase(Locale.ROOT).endsWith(".pdf");
        var isImageAlone = pipeline.equals("human-keypoint-detection");
        Map<String, Object> body = isImageAlone ? Map.of("image", content) : Map.of("file", content, "fileType", isPdf ? 0 : 1);
        var result = ask(server + "/" + pipeline, new Gson().toJson(body));

        var stem = file.replaceFirst("\\.[^./\\\\]*$", "");
        for (var person : orEmpty(result.persons)) {
            OUT.printf(Locale.ROOT, "person %.3f, keypoints %.3f\n", person.detScore, person.kptScore);
        }
        save(stem, "image", result.image);
        var pages = orEmpty(result.ocrResults != null ? result.ocrResults : result.sealRecResults);
        for (int number = 0; number < pages.size(); number++) {
            if (pages.size() > 1) OUT.println("page " + number);
            var page = pages.get(number);
            // A page of seals has the result of each seal.
            var seals = page.prunedResult.seal_res_list;
            for (var found : seals != null ? seals : List.of(page.prunedResult)) {
                for (int line = 0; line < found.rec_texts.size(); line++) {
                    OUT.printf(Locale.ROOT, "%.3f %s\n", found.rec_scores.get(line), found.rec_texts.get(line));
                }
            }
            var pageStem = pages.size() > 1 ? stem + "_" + number : stem;
            save(pageStem, "ocrImage", page.ocrImage);
            if (page.outputImages != null) {
                for (var picture : page.outputImages.entrySet()) save(pageStem, picture.getKey(), picture.getValue());
            }
        }
    }

    /** Return the `result` of the server's answer; a server that is busy is asked once more, when it says. */
    static Result ask(String url, String body) throws IOException, InterruptedException {
        // HTTP/1.1, or Java asks a server without TLS for an upgrade to HTTP/2.
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        var builder = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofMinutes(5));
        builder.header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body));
        var key = System.getenv("PADDLEX_TRITON_API_KEY");
        if (key != null && !key.isEmpty()) builder.header("Authorization", "Bearer " + key);
        var request = builder.build();
        var response = client.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() == 503) {
            Thread.sleep(1000 * response.headers().firstValueAsLong("Retry-After").orElse(1));
            response = client.send(request, HttpResponse.BodyHandlers.ofString());
        }
        var answer = new Gson().fromJson(response.body(), Answer.class);
        if (response.statusCode() != 200 || answer.errorCode != 0) {
            var message = "error %d: %s (logId %s)";
            throw new IOException(String.format(message, answer.errorCode, answer.errorMsg, answer.logId));
        }
        return answer.result;
    }

    /** Write a picture in base64; there is none if the server does not draw. */
    static void save(String stem, String key, String picture) throws IOException {
        if (picture != null) Files.write(Path.of(stem + "_" + key + ".jpg"), Base64.getDecoder().decode(picture));
    }

    static <T> List<T> orEmpty(List<T> list) {
        return list != null ? list : List.of();
    }
}
